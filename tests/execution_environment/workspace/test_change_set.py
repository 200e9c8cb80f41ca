"""A staged change goes stale when what it was made from is no longer what is there."""

import asyncio
import os

import pytest

from common.errors import AgenticError
from execution_environment.transactions.locks import WorkspaceLocks
from tests.execution_environment.conftest import tool_call

OTHERS = "what another program has made\n"


@pytest.mark.parametrize(
    ("made", "moved"), [("new", "b"), ("d/new", "b"), ("d/new", "d/b"), ("d/new", "e/b")]
)
async def test_a_place_that_another_call_takes_meanwhile_leaves_no_change_half_made(
    assemble, data_dir, demo, made, moved
):
    """Of a patch that makes a file first and then moves one to where it was taken."""
    patch = (
        f"--- /dev/null\n+++ b/{made}\n@@ -0,0 +1 @@\n+new\n"
        f"diff --git a/a b/{moved}\nsimilarity index 100%\nrename from a\nrename to {moved}\n"
    )
    (demo / "a").write_text("mine\n")
    parts = assemble()
    with WorkspaceLocks(data_dir / "state/locks").tried("local/demo"):
        patching = asyncio.create_task(
            parts.executor.run(tool_call("apply_patch", _id="p", patch=patch))
        )
        while not list((data_dir / "state/staging").glob("*/*")):
            await asyncio.sleep(0.01)
        (demo / moved).parent.mkdir(exist_ok=True)
        (demo / moved).write_text(OTHERS)
    with pytest.raises(AgenticError) as caught:
        await patching
    error = caught.value
    assert (error.code, error.outcome) == ("already_exists", "not_executed")
    assert error.context.path == moved
    assert not (demo / made).exists()
    assert ((demo / "a").read_text(), (demo / moved).read_text()) == ("mine\n", OTHERS)
    (demo / moved).unlink()
    await parts.executor.run(tool_call("apply_patch", _id="p", patch=patch))
    await parts.close()
    assert ((demo / made).read_text(), (demo / moved).read_text()) == ("new\n", "mine\n")


def test_a_change_of_what_was_read_makes_the_staged_change_stale(workspace, sandbox, demo):
    """Replaced, rewritten in place, removed: each is noticed under the lock."""
    for change in (
        lambda: os.replace(demo / "other", demo / "x"),
        lambda: (demo / "x").write_text("in place"),
        lambda: (demo / "x").unlink(),
    ):
        (demo / "x").write_text("old")
        (demo / "other").write_text("new")
        workspace.files.put("x", b"mine", workspace.reader.find_file("x"))
        change()
        assert not workspace.change.is_fresh()
        workspace.change.discard()


def test_a_place_that_is_gone_or_taken_makes_a_new_file_stale(workspace, sandbox, demo):
    """A rename never replaces what came after the check, either."""
    (demo / "dir").mkdir()
    workspace.files.put("dir/x", b"mine", None)
    (demo / "dir/x").write_text("theirs")
    assert not workspace.change.is_fresh()
    with pytest.raises(FileExistsError):
        sandbox.renamer.apply(workspace.change.renames[0])
    (demo / "dir/x").unlink()
    (demo / "dir").rmdir()
    assert not workspace.change.is_fresh()
    workspace.change.discard()
