"""From words to commands: understood as meant, or refused with a way on."""

import time
from importlib.resources import files

import pytest
from hypothesis import example, given, strategies as st
from lark import Lark

from common.errors import ClientError
from orchestrator.planners.rules.commands import MAX_READ
from orchestrator.planners.rules.parser import parse


def call_of(goal):
    """Return the first call of a goal's first command."""
    [call, *_] = parse(goal)[0].calls([])
    return call.tool, call.arguments


@pytest.mark.parametrize(
    ("goal", "tool", "arguments"),
    [
        ("List the files in src.", "list_directory", {"path": "src", "limit": 1000}),
        ("list", "list_directory", {"path": ".", "limit": 1000}),
        ("show me the file 'my notes.txt'", "read_file",
         {"path": "my notes.txt", "max_bytes": MAX_READ}),
        ("READ README.md", "read_file", {"path": "README.md", "max_bytes": MAX_READ}),
        ("write 'a\\nb\\'c' into x.txt", "write_file",
         {"path": "x.txt", "content": "a\nb'c", "mode": "upsert"}),
        ("make a new directory called docs/img", "create_directory", {"path": "docs/img"}),
        ("create an empty file x", "write_file", {"path": "x", "content": "", "mode": "create"}),
        ('search src for "x y"', "search_files",
         {"pattern": "x y", "literal": True, "limit": 1000, "path": "src"}),
        ("grep TODO in *.py under src", "search_files",
         {"pattern": "TODO", "literal": True, "limit": 1000, "path": "src", "glob": "*.py"}),
        ("find all *.py files in src/", "find_files",
         {"glob": "*.py", "path": "src", "type": "file", "limit": 1000}),
        ("search for x in d in b", "search_files",
         {"pattern": "x", "literal": True, "limit": 1000, "path": "b/d"}),
    ],
)  # fmt: skip
def test_parser_makes_commands_into_calls(goal, tool, arguments):
    """Articles, case and the full stop do not matter; quoted text is taken as it is."""
    assert call_of(goal) == (tool, arguments)


@pytest.mark.parametrize(
    ("goal", "old", "new"),
    [
        ("replace old with new in x", "old", "new"),
        ("please replace the with a in the file x", "the", "a"),
        ("change all to every in x", "all", "every"),
    ],
)
def test_parser_takes_plain_words_to_replace_as_they_are(goal, old, new):
    """An article is noise before a path, and text where text is wanted."""
    [command] = parse(goal)
    assert (command.old, command.new, command.scope.path) == (old, new, "x")


@pytest.mark.parametrize(
    ("goal", "told"),
    [
        ("do some magic", 'from "do some magic" on'),
        ("read a.txt then dance", 'from "dance" on'),
        ("replace 'a' with", "at its end"),
        ("replace 'a\nb' with 'c' in x", "within one line"),
        ("find [z-a]", "z-a"),
        ("read 'a", "'a"),
        ("", "at its end"),
    ],
)
def test_parser_names_what_it_does_not_understand(goal, told):
    """With the nearest form as the way on."""
    with pytest.raises(ClientError) as caught:
        parse(goal)
    assert caught.value.code == "goal_not_understood"
    assert told in caught.value.detail
    assert caught.value.hint


@given(
    st.text()
    | st.lists(st.sampled_from(["list", "in", "then", "'x'", "*", "read", "for", ";"])).map(
        " ".join
    )
)
@example("then")
@example("list then")
@example("find **/[")
def test_parser_understands_or_refuses_any_text(goal):
    """Understood or refused, never a crash."""
    try:
        assert parse(goal)
    except ClientError as error:
        assert error.code == "goal_not_understood"


@pytest.mark.parametrize(
    "goal",
    [
        " " * 20_000,
        "\n" * 20_000,
        "and " * 5000,
        "list; " * 3000,
        "'\\" * 10_000,
        "please " * 2800,
        "read " + "?" * 19_000 + "x",
        "read " + "the " * 4900,
        "read " + ", ".join(f"a{n}" for n in range(3000)),
        "create a.txt that says " + "please " * 2800,
    ],
    ids=range(10),
)
def test_parser_takes_no_longer_than_a_goal_is_long(goal):
    """A goal may have 20,000 characters; one that took seconds would hold up its worker."""
    began = time.process_time()
    with pytest.raises(ClientError):
        parse(goal)
    assert time.process_time() - began < 2


def test_grammar_has_no_conflict(caplog):
    """A conflict would be resolved by a rule that nobody reads."""
    caplog.set_level("DEBUG", logger="lark")
    text = (files("orchestrator.planners.rules") / "grammar.lark").read_text()
    Lark(text, parser="lalr", debug=True)
    assert "conflict" not in caplog.text
    Lark('start: "if" start | "if" start "else" start | "x"', parser="lalr", debug=True)
    assert "conflict" in caplog.text
