"""The executor: calls beside one another, deadlines, and what is left behind."""

import asyncio

import pytest

from common.errors import AgenticError, SystemFault

PATCH = """\
--- /dev/null
+++ b/dir/new
@@ -0,0 +1 @@
+staged first
--- a/x
+++ b/x
@@ -1 +1 @@
-not there
+x
"""


async def test_concurrent_edits_lose_nothing(call, demo):
    """Each call edits what the one before it left, whoever read first."""
    (demo / "log").write_text("")
    edits = [{"insert_at_line": 1, "text": "line"}]
    await asyncio.gather(*(call("edit_file", path="log", edits=edits) for _ in range(40)))
    assert (demo / "log").read_text().split() == ["line"] * 40


async def test_only_one_of_many_write_file_calls_creates_the_file(call, demo):
    """`create` never replaces, not even what came a moment ago."""
    calls = (call("write_file", path="a/b/x", content=str(n)) for n in range(16))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, AgenticError)]
    assert (len(errors), {error.code for error in errors}) == (15, {"already_exists"})
    [winner] = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)]
    assert (demo / "a/b/x").read_text() == str(winner)


async def test_a_calls_deadline_ends_long_work(call, demo):
    """Threads cannot be killed: the work looks at the clock itself."""
    with (demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(SystemFault) as caught:
        await call("get_file_info", {"timeout": 0.3}, path="sparse")
    assert (caught.value.code, caught.value.context.tool) == ("deadline_exceeded", "get_file_info")


async def test_calls_that_fail_leave_no_descriptor_and_nothing_staged(call, demo, open_descriptors):
    """The sandbox fixture looks at the staging directory afterwards."""
    (demo / "x").write_text("1")
    await call("read_file", path="x")
    before = open_descriptors()
    edits = [{"old_text": "nope", "new_text": "x"}]
    for _ in range(10):
        for tool, arguments in (
            ("write_file", {"path": "x", "content": "2"}),
            ("write_file", {"path": "x/y", "content": "2"}),
            ("edit_file", {"path": "x", "edits": edits}),
            ("read_file", {"path": "nope/x"}),
            ("append_file", {"path": "x/y", "content": "2"}),
            ("move_path", {"source": "x", "destination": "x/y"}),
            ("move_path", {"source": "nope", "destination": "new/y"}),
            ("copy_path", {"source": "nope", "destination": "new/y"}),
            ("copy_path", {"source": "x", "destination": "x"}),
            ("delete_path", {"path": "nope"}),
            ("apply_patch", {"patch": PATCH}),
        ):
            with pytest.raises(AgenticError):
                await call(tool, **arguments)
    assert open_descriptors() == before
