"""The limits that a call's workspace is opened with: access and quota."""

import os

import pytest

from common.errors import ToolError
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import Usage
from tests.execution_environment.conftest import MIB, refusal, tool_call


async def test_the_quota_of_a_dry_run_knows_what_was_there_before_the_start(assemble, demo):
    """Nothing is counted yet after a restart: the workspace is measured then."""
    (demo / "old").write_bytes(bytes(60))
    parts = assemble(allowed=ServiceLimits(MIB, MIB, Usage(100, 3)))
    for path, size in (("x", 60), ("a/b/c", 1)):
        call = tool_call("write_file", _dry_run=True, path=path, content="x" * size)
        with pytest.raises(ToolError) as caught:
            await parts.executor.run(call)
        assert caught.value.code == "quota_exceeded"
    await parts.executor.run(tool_call("write_file", _dry_run=True, path="x", content="x" * 40))
    await parts.close()
    assert os.listdir(demo) == ["old"]


async def test_a_read_only_context_changes_nothing(call, demo):
    """Access is checked before anything is staged."""
    for tool, arguments in (
        ("write_file", {"path": "x", "content": "1"}),
        ("create_directory", {"path": "x"}),
        ("edit_file", {"path": "x", "edits": [{"old_text": "1", "new_text": "2"}]}),
    ):
        error = await refusal(call(tool, {"access": "read_only"}, **arguments))
        assert (error.code, error.context.tool) == ("permission_denied", tool)
    assert list(demo.iterdir()) == []
