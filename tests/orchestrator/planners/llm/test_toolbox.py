"""The tools as a model reads them, and the calls that it makes of them."""

import json

import pytest

from common.tools import ToolSpec
from execution_environment.calls.registry import discover
from orchestrator.planners.llm import toolbox
from orchestrator.planners.llm.conversation import ToolRequest
from orchestrator.planners.llm.invented import MEANT
from orchestrator.planners.llm.toolbox import ASK_USER, cards, checked

TOOLS = {name: tool.spec for name, tool in discover().items()}
MAX_CHARACTERS = 10_800
"""Of all tools as OpenAI's API takes them: 2,500 tokens of Qwen2.5, whose tokens are 4.35 of them."""


def compact(value):
    """Return JSON as it is sent."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def ask(tool, arguments, wanted=None, tools=TOOLS):
    """Return what is made of a call; the arguments may be given as they are."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return checked(ToolRequest("id", tool, text), tools, wanted)


def test_cards_of_all_tools_fit_a_small_part_of_what_a_model_reads():
    """They stand at the beginning of every request of every turn."""
    functions = [
        {"name": card.name, "description": card.description, "parameters": card.schema}
        for card in cards(TOOLS, None)
    ]
    assert len(functions) == 15
    sent = compact([{"type": "function", "function": function} for function in functions])
    assert len(sent) <= MAX_CHARACTERS


def test_cards_stand_in_one_order_whatever_order_the_tools_come_in():
    """Another order would be another beginning, which no provider's cache knows."""
    mixed = dict(reversed(TOOLS.items()))
    assert compact([card.schema for card in cards(mixed, None)]) == compact(
        [card.schema for card in cards(TOOLS, None)]
    )
    assert [card.name for card in cards(mixed, None)] == [*sorted(TOOLS), ASK_USER]


def test_cards_are_those_that_a_run_wants_and_the_question_to_a_person():
    """A run that may only look is not shown what changes; a name of no tool shows nothing."""
    wanted = ["read_file", "nope", "find_files"]
    assert [card.name for card in cards(TOOLS, wanted)] == ["find_files", "read_file", ASK_USER]


def test_cards_are_made_once_for_a_catalogue_and_anew_for_the_next():
    """They are asked for at every turn; a catalogue is replaced when tools may have changed."""
    known = dict(TOOLS)
    [first, *_] = cards(known, None)
    changed = {"append_file": TOOLS["append_file"].model_copy(update={"description": "New."})}
    for _ in range(3):
        assert cards(changed, None)[0].description == "New."
        assert cards(known, None)[0] is first
    for n in range(20):
        cards({str(n): TOOLS["read_file"]}, None)
    assert len(toolbox._boxes) <= 2


def test_checked_call_that_matches_its_schema_is_made_as_it_is():
    """Paths too: the execution environment has its own word on those."""
    given = {"path": "./../a.py", "max_lines": 5, "hash": False}
    assert ask("read_file", given) == (given, None)
    assert ask("list_directory", "") == ({}, None)
    assert ask(ASK_USER, {"question": "Which?"}, wanted=["read_file"]) == (
        {"question": "Which?"},
        None,
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cat", "Use read_file."),
        ("ls", "Use list_directory or find_files."),
        ("GREP", "Use search_files."),
        ("bash", "Use list_directory or read_file or search_files or edit_file."),
        ("create_file", "Use write_file."),
        ("str_replace", "Use edit_file."),
        ("functions.read_fil", "Did you mean read_file or read_files?"),
        ("readFile", "Did you mean read_file or read_files?"),
    ],
)
def test_checked_call_of_no_tool_is_told_which_one_does_it(name, hint):
    """Models call what they know from elsewhere: the next call should be the right one."""
    arguments, error = ask(name, {"path": "a"})
    assert (arguments, error.code, error.hint, error.context.tool) == (
        {},
        "tool_not_found",
        hint,
        name,
    )


def test_checked_call_of_no_tool_is_told_all_of_them_when_none_is_near():
    """And none that the run may not use; an endless name is cut."""
    _, error = ask("x" * 1000, {}, wanted=["read_file"])
    assert error.hint == "There are read_file, ask_user."
    assert len(error.detail) < 100
    _, error = ask("rm", {}, wanted=["read_file"])
    assert "delete_path" not in error.hint


def test_checked_call_of_a_tool_that_the_run_may_not_use_is_refused():
    """The tools that a run names are a bound, not advice."""
    _, error = ask("delete_path", {"path": "a"}, wanted=["read_file", "find_files"])
    assert (error.code, error.detail) == ("tool_not_found", "This run may not use 'delete_path'")
    assert error.hint == "It may use find_files, read_file, ask_user."


def test_every_tool_that_an_invented_name_means_is_there():
    """A hint that names no tool would be followed; and no tool is taken for an invented one."""
    assert {tool for meant in MEANT.values() for tool in meant} <= {*TOOLS, ASK_USER}
    assert MEANT.keys() & TOOLS.keys() == set()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"path": "a"', "is not valid JSON"),
        ('{"path": "a", "path": "b"}', "duplicate key"),
        ('{"path": "a", "max_lines": NaN}', "expected value at line 1 column 28"),
        ('{"path": "\\ud800"}', "hex escape"),
        ('{"path": "\ud800"}', "not valid Unicode"),
        ('["a"]', "not an object"),
        ('"a"', "not an object"),
        ('{"path": ' + "[" * 70 + "]" * 70 + "}", "nested deeper"),
    ],
)
def test_checked_call_whose_arguments_are_no_json_object_is_refused(text, told):
    """Two readers of the record could read them differently."""
    arguments, error = ask("read_file", text)
    assert (arguments, error.code, error.context.tool) == ({}, "invalid_arguments", "read_file")
    assert told in error.detail
    assert "JSON object" in error.hint


def test_checked_call_whose_arguments_do_not_match_names_the_fields_and_what_the_tool_takes():
    """All of it at once, so that one more attempt is enough."""
    given = {"path": 1, "text": "hush-hush"}
    arguments, error = ask("write_file", given)
    assert (arguments, error.code) == (given, "invalid_arguments")
    told = {(field.field, field.message) for field in error.context.fields}
    assert told == {
        ("", "takes no text"),
        ("", "needs content"),
        ("path", "has to be of type string"),
    }
    assert error.hint == (
        "write_file needs path, content; leave out what you have no value for of encoding, mode,"
        " create_parents."
    )
    assert "hush-hush" not in str(error.problem("orchestrator", None))
    _, error = ask("write_file", {})
    assert error.detail == "Not valid: the call needs path, content"


def test_checked_call_holds_no_references():
    """Only a client's plan does: a model that reads of them in a file must not reach other outputs."""
    _, error = ask("read_file", {"path": {"$from": "a/output/content"}})
    assert [field.field for field in error.context.fields] == ["path"]


@pytest.mark.parametrize(
    ("tool", "given", "taken"),
    [
        ("read_file", {"path": "5", "max_lines": "5"}, {"path": "5", "max_lines": 5}),
        (
            "read_file",
            {"path": "a", "max_lines": None, "hash": "false"},
            {"path": "a", "hash": False},
        ),
        ("read_file", {"path": "true", "hash": "true"}, {"path": "true", "hash": True}),
        ("read_files", {"paths": '["a", "b"]'}, {"paths": ["a", "b"]}),
        (
            "apply_patch",
            {"patch": "x", "expected_sha256": "{}"},
            {"patch": "x", "expected_sha256": {}},
        ),
        (
            "edit_file",
            {"path": "a", "edits": [{"old_text": "1", "new_text": "", "insert_at_line": None}]},
            {"path": "a", "edits": [{"old_text": "1", "new_text": ""}]},
        ),
        (
            "edit_file",
            {"path": "a", "edits": '[{"insert_at_line": "3", "text": "3"}]'},
            {"path": "a", "edits": [{"insert_at_line": 3, "text": "3"}]},
        ),
        (
            "edit_file",
            {
                "path": "a",
                "edits": [
                    {"old_text": "1", "new_text": "", "replace_all": "true", "expected_count": None}
                ],
            },
            {"path": "a", "edits": [{"old_text": "1", "new_text": "", "replace_all": True}]},
        ),
        ("read_file", {"path": "a", "start_line": "0"}, {"path": "a", "start_line": 0}),
    ],
)
def test_checked_call_takes_what_can_mean_one_thing_only_for_that(tool, given, taken):
    """Small models write so, again and again; a string that is wanted stays one."""
    assert ask(tool, given) == (taken, None)


@pytest.mark.parametrize(
    ("tool", "given", "field"),
    [
        ("read_file", {"path": None}, "path"),
        ("read_file", {"path": "a", "max_lines": "5.0"}, "max_lines"),
        ("read_file", {"path": "a", "max_lines": " 5"}, "max_lines"),
        ("read_file", {"path": "a", "max_lines": "05"}, "max_lines"),
        ("read_file", {"path": "a", "max_lines": 0}, "max_lines"),
        ("read_file", {"path": "a", "hash": "True"}, "hash"),
        ("read_file", {"path": "a", "hash": 1}, "hash"),
        ("read_file", {"path": "a", "nope": None}, ""),
        ("read_files", {"paths": "a"}, "paths"),
        ("read_files", {"paths": '{"a": 1}'}, "paths"),
        ("read_files", {"paths": '["a", "a"'}, "paths"),
        ("edit_file", {"path": "a", "edits": {"old_text": "a", "new_text": "b"}}, "edits"),
    ],
)
def test_checked_call_is_not_guessed_at(tool, given, field):
    """What it does has to be what the model wrote; it is told, and writes it again."""
    arguments, error = ask(tool, given)
    assert (arguments, error.code) == (given, "invalid_arguments")
    assert [it.field for it in error.context.fields] == [field]


def test_checked_call_is_left_alone_where_a_schema_says_less():
    """Tools may come whose schemas no one here has written."""
    properties = {"any": True, "many": {"type": ["integer", "null"]}, "list": {"items": True}}
    spec = ToolSpec(
        name="t",
        description="d",
        effect="read",
        arguments_schema={"type": "object", "properties": properties},
        output_schema={},
    )
    given = {"any": {"x": "5"}, "list": ["5", {"y": None}], "other": None}
    assert ask("t", given, tools={"t": spec}) == (given, None)
    _, error = ask("t", {"many": "5"}, tools={"t": spec})
    assert [it.field for it in error.context.fields] == ["many"]


def test_checked_question_has_to_be_one():
    """`ask_user` is checked as tools are."""
    _, error = ask(ASK_USER, {"question": ""})
    assert error.code == "invalid_arguments"


def test_checked_call_keeps_a_property_that_alternatives_want_as_different_things():
    """`"5"` may be either of them then."""
    either = {"anyOf": [{"properties": {"x": {"type": kind}}} for kind in ("integer", "string")]}
    schema = {"type": "object", "properties": {"it": either}}
    spec = ToolSpec(
        name="t", description="d", effect="read", arguments_schema=schema, output_schema={}
    )
    assert ask("t", {"it": {"x": "5"}}, tools={"t": spec}) == ({"it": {"x": "5"}}, None)
