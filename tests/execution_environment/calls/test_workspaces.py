"""Whole workspaces: a deletion that is cut short is completed, once, by whoever comes next."""

import fcntl

import pytest

from common.errors import AgenticError
from execution_environment.calls.file_request import FileRequest
from tests.execution_environment.conftest import tool_call


class Death(Exception):
    """Ends a call as a crash would."""


def asked(call_id="once", **changed):
    """Return a request for the deletion of `local/demo`."""
    context = tool_call("x").context.model_copy(update=changed)
    return FileRequest(call_id, 0, ".", context)


@pytest.mark.parametrize("step", ["committed", "renamed", "applied"])
async def test_a_deletion_that_is_cut_short_is_completed_once(assemble, demo, step):
    """The same call again says that it has happened; what was made since then stays."""
    (demo / "f").write_bytes(b"x")

    def die(reached):
        if reached == step:
            raise Death

    dead = assemble(observe=die)
    with pytest.raises(Death):
        await dead.workspaces.delete(asked())
    fcntl.flock(dead.sandbox.renamer.staging.descriptor, fcntl.LOCK_UN)  # what a death does
    parts = assemble()
    assert (await parts.workspaces.delete(asked())).replayed
    assert not demo.exists()
    await parts.executor.run(tool_call("write_file", path="new", content="1"))
    assert (await parts.workspaces.delete(asked())).replayed
    assert (demo / "new").exists()
    await parts.close()
    await dead.close()


async def test_whoever_may_only_read_deletes_no_workspace(parts, demo):
    """Nor does one who is refused leave a trace of having begun."""
    with pytest.raises(AgenticError) as caught:
        await parts.workspaces.delete(asked(access="read_only"))
    assert (caught.value.code, demo.exists()) == ("permission_denied", True)


async def test_the_room_of_a_deleted_workspace_is_free_again(parts, demo):
    """Its count goes with it: what comes next is counted from nothing."""
    await parts.executor.run(tool_call("write_file", path="f", content="12345"))
    assert (await parts.workspaces.get("local", "demo")).size == 5
    result = await parts.workspaces.delete(asked())
    assert result.output == {"deleted": 1}
    await parts.executor.run(tool_call("write_file", path="f", content="123"))
    found = await parts.workspaces.get("local", "demo")
    assert (found.size, found.entries) == (3, 1)
