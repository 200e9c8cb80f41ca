"""Replacing and appending: each call is made from what the last one gave."""

import pytest

from common.errors import AgenticError, ToolError
from orchestrator.planners.decisions import CallTools, Finish
from tests.orchestrator.planners.rules.deciding import decide, done, found, hit


async def test_replace_in_many_files_looks_first_then_edits_each():
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
async def test_replace_is_never_made_by_half(search, code):
    """Nothing to replace, or more than the search could show: an error, no edit."""
    with pytest.raises(ToolError) as caught:
        await decide("replace 'old' with 'new' in *.txt", done("c1_search_1", search))
    assert caught.value.code == code


async def test_append_creates_what_is_missing_and_guards_what_is_there():
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
