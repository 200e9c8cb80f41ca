"""A session's older owner changes nothing any more."""

import asyncio

import pytest

from common.errors import AgenticError
from tests.execution_environment.conftest import tool_call

SESSION = {"session_id": "ses_" + "0" * 32}


async def test_a_stale_fence_is_refused_on_arrival(call):
    """The refusal names the fence that the session has reached."""
    await call("list_directory", SESSION, _fence=7)
    for tool, arguments in (("list_directory", {}), ("write_file", {"path": "x", "content": "1"})):
        with pytest.raises(AgenticError) as caught:
            await call(tool, SESSION, _fence=6, **arguments)
        error = caught.value
        assert (error.code, error.outcome) == ("fenced", "not_executed")
        assert (error.context.limit, error.context.actual) == (7, 6)
    await call("write_file", SESSION, _fence=7, path="x", content="1")
    await call("write_file", path="y", content="1", _fence=0)


async def test_a_fence_that_is_nobodys_is_never_stale(call, demo):
    """What a person changes beside a session's runs comes from no owner of them."""
    await call("list_directory", SESSION, _fence=7)
    await call("write_file", SESSION, _fence=0, path="x", content="1")
    assert (demo / "x").exists()


async def test_a_stale_fence_is_refused_under_the_lock(assemble, parts, demo):
    """It was admitted, and a newer owner came while it waited."""
    newer = tool_call("list_directory", SESSION, _fence=8)

    def overtake(step):
        if step == "checked":
            asyncio.run_coroutine_threadsafe(parts.executor.run(newer), loop).result(timeout=10)

    loop = asyncio.get_running_loop()
    second = assemble(observe=overtake)
    with pytest.raises(AgenticError) as caught:
        await second.executor.run(tool_call("write_file", SESSION, _fence=7, path="x", content="1"))
    await second.close()
    assert (caught.value.code, (demo / "x").exists()) == ("fenced", False)
