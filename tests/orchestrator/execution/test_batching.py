"""Reads that go in one request: each has its own outcome, and a failure is nobody else's."""

import asyncio

import pytest

from common.context import ExecutionContext, RequestSource
from common.errors import ClientError, SystemFault, ToolError
from common.tools import ToolCall, ToolResult
from orchestrator.execution.batching import Batching
from tests.orchestrator.fakes import ScriptedExecutor

CONTEXT = ExecutionContext(
    request_id="req_1",
    user_id="ann",
    request_source=RequestSource(kind="internal"),
    allowed_paths_root="ann/demo",
    timeout=5,
)


def call(name):
    """Return a read."""
    return ToolCall(id=name, fence=0, tool="look", arguments={}, context=CONTEXT)


class Executor(ScriptedExecutor):
    """Notes what came together; `refusal` is what a batch is answered."""

    def __init__(self, *outcomes, refusal=None):
        super().__init__(*outcomes)
        self.refusal = refusal
        self.together = []

    async def call_many(self, calls, traceparent=None):
        self.together.append(len(calls))
        if self.refusal is not None:
            raise self.refusal
        return await super().call_many(calls, traceparent)


async def ended(batching, *calls):
    """Return what calls end with that are made at the same moment."""
    return await asyncio.gather(*map(batching.run, calls), return_exceptions=True)


async def test_reads_of_one_moment_go_together_and_each_has_its_own_outcome():
    executor = Executor({"a": 1}, ToolError("path_not_found", "not there"), {"c": 3})
    first, second, third = await ended(Batching(executor), call("1"), call("2"), call("3"))
    assert (first.output, second.code, third.output) == ({"a": 1}, "path_not_found", {"c": 3})
    assert ([one.id for one, _ in executor.calls], executor.together) == (["1", "2", "3"], [3])


async def test_read_that_is_alone_goes_alone_and_what_comes_later_is_another_batch():
    executor = Executor()
    batching = Batching(executor)
    await batching.run(call("1"))
    assert executor.together == []
    await ended(batching, call("2"), call("3"))
    assert (len(executor.calls), executor.together) == (3, [2])


@pytest.mark.parametrize("code", ["request_too_large", "route_not_found", "malformed_request"])
async def test_batch_that_is_refused_as_such_is_taken_apart(code):
    """An execution environment that is older, or takes fewer at once; or one of them is what it does not take."""
    executor = Executor({"a": 1}, {"b": 2}, refusal=ClientError(code, "no"))
    results = await ended(Batching(executor), call("1"), call("2"))
    assert [result.output for result in results] == [{"a": 1}, {"b": 2}]


async def test_failure_of_all_is_each_ones_own():
    """What comes of one, once it is settled, says nothing of the others."""
    lost = SystemFault("upstream_failed", "lost", path="p")
    lost.retry_after = None
    first, second = await ended(Batching(Executor(refusal=lost)), call("1"), call("2"))
    assert first is not second
    first.outcome = "not_executed"
    assert (second.outcome, second.source, second.context.path) == ("unknown", None, "p")


async def test_batch_is_given_up_with_the_last_who_waits():
    begun, is_cancelled = asyncio.Event(), []

    async def endless():
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            is_cancelled.append(True)
            raise

    batching = Batching(Executor(endless, {"b": 2}))
    tasks = [asyncio.create_task(batching.run(call(name))) for name in "12"]
    await begun.wait()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    assert not is_cancelled
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert is_cancelled == [True]


async def test_read_that_is_given_up_at_once_takes_no_later_one_with_it():
    batching = Batching(Executor({"a": 1}))
    task = asyncio.create_task(batching.run(call("1")))
    await asyncio.sleep(0)  # it has asked, and nothing is sent yet
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert isinstance(await batching.run(call("2")), ToolResult)
