"""A change while it is made: complete in staging, in nobody else's way."""

import asyncio
import os

import pytest

from common.files.paths import parse
from tests.execution_environment.conftest import staged_in, tool_call, workspace_over


async def test_two_workspaces_of_a_new_user_can_begin_at_once(assemble, parts, data_dir):
    """Each is staged while there is no directory of the user; neither stands in the other's way."""
    loop = asyncio.get_running_loop()

    def context(workspace):
        return {"user_id": "new", "allowed_paths_root": f"new/{workspace}"}

    def overtake(step):
        if step == "checked":
            call = tool_call("write_file", context("two"), path="x", content="2")
            asyncio.run_coroutine_threadsafe(parts.executor.run(call), loop).result(timeout=10)

    first = assemble(observe=overtake)
    await first.executor.run(tool_call("write_file", context("one"), path="x", content="1"))
    await first.close()
    found = {
        name: (data_dir / "workspaces/new" / name / "x").read_text() for name in ("one", "two")
    }
    assert found == {"one": "1", "two": "2"}


@pytest.fixture
def received(sandbox):
    """Return a change with files that have come in."""
    change = workspace_over(sandbox).change
    files = [change.receive() for _ in range(3)]
    for number, incoming in enumerate(files):
        incoming.write(b"%d" % number)
        incoming.finish()
    return change, files


def place(change, files):
    """Put all but one of them in their places, one below new directories."""
    change.put_received(parse("a/b"), files[0], 0o755, None)
    change.put_received(parse("c"), files[1], 0o644, None)


def test_files_that_have_come_in_are_kept_when_a_change_is_made_again(
    received, sandbox, demo, data_dir
):
    """They are not sent again. What nobody has found a place for is removed at the end."""
    change, files = received
    for _ in range(2):
        change.discard()
        place(change, files)
    for step in change.renames:
        sandbox.renamer.apply(step)
    change.mark("applied")
    change.cleanup()
    assert {name: (demo / name).read_text() for name in ("a/b", "c")} == {"a/b": "0", "c": "1"}
    assert os.access(demo / "a/b", os.X_OK)
    assert len(staged_in(data_dir)) == 1


def test_files_that_have_come_in_are_removed_with_a_change_that_came_to_nothing(
    received, data_dir, demo
):
    """Whether they had a place or not."""
    change, files = received
    place(change, files)
    change.cleanup()
    assert len(staged_in(data_dir)) == 1
    assert not change.needs_cleanup


def test_a_change_under_way_keeps_what_it_still_needs(received, sandbox, demo, data_dir):
    """Recovery may need it; a file without a place nobody does."""
    change, files = received
    place(change, files)
    steps = change.renames
    change.mark("committed")
    change.cleanup()
    for step in steps:
        sandbox.renamer.apply(step)
    assert (demo / "c").read_text() == "1"
    assert len(staged_in(data_dir)) == 1
