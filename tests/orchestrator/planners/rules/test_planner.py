"""The rules planner: honest refusals, calls derived from what happened."""

import threading
import time
from importlib.resources import files

import pytest
from hypothesis import example, given, strategies as st
from lark import Lark

from common.errors import AgenticError, ClientError, ToolError
from common.runs import RunCreate
from orchestrator.planners.protocol import CallTools, Finish, History
from orchestrator.planners.rules import planner
from orchestrator.planners.rules.commands import MAX_READ
from orchestrator.planners.rules.forms import FORMS
from orchestrator.planners.rules.parser import parse
from orchestrator.planners.rules.planner import MAX_INLINE, RulesPlanner
from tests.orchestrator.conftest import step


def call_of(goal):
    """Return the first call of a goal's first command."""
    [call, *_] = parse(goal)[0].calls([])
    return call.tool, call.arguments


@pytest.mark.parametrize("form", FORMS.values())
def test_every_form_that_a_hint_names_is_understood(form):
    """A refusal must not lead to the next one."""
    assert parse(form)


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
def test_commands_become_calls(goal, tool, arguments):
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
def test_plain_words_to_replace_are_taken_as_they_are(goal, old, new):
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
def test_what_is_not_understood_is_named(goal, told):
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
def test_no_text_breaks_the_grammar(goal):
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
def test_the_longest_goals_take_no_longer_than_their_length(goal):
    """A goal may have 20,000 characters; one that took seconds would hold up its worker."""
    began = time.process_time()
    with pytest.raises(ClientError):
        parse(goal)
    assert time.process_time() - began < 2


async def test_a_long_goal_is_parsed_off_the_event_loop():
    """Leases are renewed on it."""
    goal = f"write '{'x' * MAX_INLINE}' to a.txt"
    threads = set()
    parse.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "parse", lambda _: threads.add(threading.get_ident()) or [])
        await decide(goal)
    assert threads
    assert threading.get_ident() not in threads


def test_the_grammar_says_one_thing_only(caplog):
    """A conflict would be resolved by a rule that nobody reads."""
    caplog.set_level("DEBUG", logger="lark")
    text = (files("orchestrator.planners.rules") / "grammar.lark").read_text()
    Lark(text, parser="lalr", debug=True)
    assert "conflict" not in caplog.text
    Lark('start: "if" start | "if" start "else" start | "x"', parser="lalr", debug=True)
    assert "conflict" in caplog.text


def test_a_goal_is_checked_before_it_starts():
    """A plan is not for this planner."""
    RulesPlanner().check(RunCreate(goal="list"), {})
    plan = {"steps": [{"name": "a", "tool": "t"}]}
    for body in ({"goal": "magic"}, {"plan": plan}):
        with pytest.raises(ClientError):
            RulesPlanner().check(RunCreate.model_validate(body), {})


async def decide(goal, *made):
    """Return what the planner does next after these steps."""
    return await RulesPlanner().next(History(goal, None, made))


def done(name, output=None, error=None):
    """Return a step that was made."""
    status = "failed" if error else "succeeded"
    problem = None if error is None else error.problem("execution_environment", "r")
    return step(name=name, status=status, output=output, error=problem)


def hit(path, line=1):
    """Return a match."""
    return {"path": path, "line": line, "column": 1, "text": "old", "before": [], "after": []}


def found(*hits, truncated=False):
    """Return what a search gives."""
    return {"matches": [*hits], "total": len(hits), "truncated": truncated}


async def test_replacing_in_many_files_looks_first_then_edits_each():
    """The counts come from the search, so an edit that no longer fits is refused."""
    goal = "replace 'old' with 'new' in *.txt"
    search = done("c1_search_1", found(hit("a.txt"), hit("b.txt"), hit("a.txt", 2)))
    decision = await decide(goal, search)
    assert isinstance(decision, CallTools)
    assert [(c.name, c.arguments["path"], c.arguments["edits"][0]["expected_count"]) for c in decision.calls] == [
        ("c1_edit_2", "a.txt", 2),
        ("c1_edit_3", "b.txt", 1),
    ]  # fmt: skip
    again = await decide(goal, search, done("c1_edit_2", {}))
    assert [call.name for call in again.calls] == ["c1_edit_3"]
    end = await decide(goal, search, done("c1_edit_2", {}), done("c1_edit_3", {}))
    assert end == Finish("Replaced 'old' 3 times in 2 files\n  a.txt (2)\n  b.txt (1)")


@pytest.mark.parametrize(
    ("search", "code"),
    [(found(), "text_not_found"), (found(hit("a"), truncated=True), "output_too_large")],
)
async def test_half_a_replacement_is_never_made(search, code):
    """Nothing to replace, or more than the search could show: an error, no edit."""
    with pytest.raises(ToolError) as caught:
        await decide("replace 'old' with 'new' in *.txt", done("c1_search_1", search))
    assert caught.value.code == code


async def test_appending_creates_what_is_missing_and_guards_what_is_there():
    """The append holds for just the content that was seen."""
    goal = "append 'x' to n.txt"
    [look] = (await decide(goal)).calls
    assert (look.tool, look.on_error) == ("read_file", "continue")
    missing = done("c1_look_1", error=ToolError("path_not_found", "x"))
    assert (await decide(goal, missing)).calls[0].arguments == {"path": "n.txt", "content": "x\n"}
    seen = done("c1_look_1", {"total_lines": 4, "sha256": "0" * 64})
    arguments = (await decide(goal, seen)).calls[0].arguments
    assert arguments["edits"] == [{"insert_at_line": 5, "text": "x\n"}]
    assert arguments["expected_sha256"] == "0" * 64
    assert await decide(goal, seen, done("c1_append_2", {})) == Finish("Appended to 'n.txt'")
    with pytest.raises(AgenticError, match="binary_file"):
        await decide(goal, done("c1_look_1", error=ToolError("binary_file", "x")))


async def test_finding_follows_the_pages():
    """And shows the files of all of them."""
    entries = [{"path": f"src/{n}.py", "type": "file"} for n in "ab"]
    first = done("c1_find_files_1", {"entries": entries[:1], "next_cursor": "src/a.py"})
    [call] = (await decide("find *.py in src", first)).calls
    assert (call.name, call.arguments["cursor"]) == ("c1_find_files_2", "src/a.py")
    last = done("c1_find_files_2", {"entries": entries[1:], "next_cursor": None})
    end = await decide("find *.py in src", first, last)
    assert end == Finish("Found 2 files that match '*.py'\n  src/a.py\n  src/b.py")


async def test_more_files_than_one_command_takes_are_left_alone():
    """Half a deletion helps nobody."""
    page = {"entries": [{"path": "a.tmp", "type": "file"}], "next_cursor": "a.tmp"}
    with pytest.raises(ToolError) as caught:
        await decide("delete every *.tmp", done("c1_find_files_1", page))
    assert caught.value.code == "output_too_large"


@pytest.mark.parametrize("goal", ["copy a to d", "move a to d", "copy a into d", "what is in d?"])
async def test_a_look_that_fails_for_another_reason_ends_the_run(goal):
    """Only a missing path and a file tell what a place is; a fault tells nothing."""
    denied = ToolError("permission_denied", "no")
    [look] = (await decide(goal)).calls
    with pytest.raises(ToolError) as caught:
        await decide(goal, done(look.name, error=denied))
    assert caught.value.code == "permission_denied"


async def test_commands_follow_one_another_and_answer_together():
    """Each line of the answer belongs to one command."""
    goal = "list, then read x; search for old"
    listing = {"entries": [{"path": "d", "type": "directory"}], "next_cursor": "d"}
    made = [
        done("c1_list_directory_1", listing),
        done("c2_read_file_1", {"content": "text"}),
        done("c3_search_files_1", found(*[hit(f"f{n}") for n in range(60)])),
    ]
    assert [call.name for call in (await decide(goal, *made[:1])).calls] == ["c2_read_file_1"]
    answer = (await decide(goal, *made)).answer
    assert answer.startswith(
        "Listed the workspace: more than 1 entries\n  d/\nRead 'x':\ntext\nFound 'old'"
    )
    assert answer.endswith("… and 10 more")
