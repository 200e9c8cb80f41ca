"""A change while it is made: complete in staging, in nobody else's way."""

import asyncio

from tests.execution_environment.conftest import tool_call


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
