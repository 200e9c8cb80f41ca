"""Counting: what a workspace takes up is known exactly, and never more than its quota."""

import pytest
from starlette.datastructures import Headers

from common.errors import AgenticError
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import Usage
from tests.execution_environment.conftest import pieces, taken_up, tool_call, usage_of


async def test_a_workspace_has_a_quota_of_bytes(call, demo):
    """It is checked before anything is visible; what is freed can be used again."""
    quota = {"limits": {"workspace_quota_bytes": 100}}
    await call("write_file", quota, path="x", content="x" * 60)
    with pytest.raises(AgenticError) as caught:
        await call("write_file", quota, path="y", content="y" * 41)
    error = caught.value
    assert (error.code, error.context.limit, error.context.actual) == ("quota_exceeded", 40, 41)
    assert not (demo / "y").exists()
    await call("write_file", quota, path="x", content="x" * 100, mode="replace")
    await call("delete_path", quota, path="x")
    await call("write_file", quota, path="y", content="y" * 100)
    with pytest.raises(AgenticError):
        await call("copy_path", quota, source="y", destination="z")
    with pytest.raises(AgenticError):
        await call("append_file", quota, path="y", content="1")


async def test_a_workspace_has_a_quota_of_entries(assemble, data_dir):
    """Directories count as well; files that were there before are found."""
    (data_dir / "workspaces/local/demo/old").write_text("1")
    parts = assemble(allowed=ServiceLimits(100, 100, Usage(1000, 4)))
    await parts.executor.run(tool_call("write_file", path="a/b", content="1"))
    with pytest.raises(AgenticError) as caught:
        await parts.executor.run(tool_call("write_file", path="c/d", content="1"))
    await parts.close()
    assert (caught.value.code, caught.value.context.limit) == ("quota_exceeded", 1)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("write_file", {"path": "a/b/x", "content": "1"}),
        ("write_file", {"path": "x", "content": "1"}),
        ("create_directory", {"path": "a/b"}),
    ],
)
async def test_a_new_workspace_does_not_count_itself(call, data_dir, tool, arguments):
    """Neither its own directory nor its user's is an entry of it."""
    await call(tool, {"user_id": "new", "allowed_paths_root": "new/place"}, **arguments)
    assert usage_of(data_dir, "new/place") == taken_up(data_dir, "new/place")


async def test_an_upload_to_a_new_workspace_is_counted(parts, data_dir):
    """Its directories are made on the way, as for a tool."""
    context = tool_call("x", {"user_id": "new", "allowed_paths_root": "new/place"}).context
    await parts.uploads.take(FileRequest("u", 0, "a/x", context), Headers(), pieces(b"123"))
    assert usage_of(data_dir, "new/place") == taken_up(data_dir, "new/place")
