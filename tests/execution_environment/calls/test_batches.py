"""Several reads in one request: at once, in order, each by itself."""

import asyncio
import errno
import gc
import threading
import time

import pytest

from common.errors import ClientError, SystemFault, ToolError
from execution_environment.calls import batches
from execution_environment.calls.batches import Batches
from execution_environment.threads import ThreadPool
from tests.execution_environment.conftest import tool_call


class Executor:
    """Answers each call with what its tool's name asks for, once all of them have come."""

    def __init__(self, expected):
        self.all_there = asyncio.Barrier(expected)
        self.only_reads = []

    async def run(self, call, *, only_reads):
        """Wait for the others."""
        self.only_reads.append(only_reads)
        await self.all_there.wait()
        if call.tool != "read_file":
            raise ToolError("path_not_found", call.id)
        return call.id


async def test_the_calls_of_a_batch_are_made_at_once_and_answered_in_order():
    """One after the other they would take as long as several requests."""
    executor = Executor(3)
    calls = [tool_call(tool, _id=f"c{n}") for n, tool in enumerate(("read_file", "x", "read_file"))]
    async with asyncio.timeout(10):
        first, failed, last = await Batches(executor, 3).run(calls)
    assert (first, failed.detail, last) == ("c0", "c1", "c2")
    assert executor.only_reads == [True] * 3


async def test_a_call_that_hangs_holds_up_no_other(monkeypatch):
    """Nothing ends a thread that the file system does not answer."""
    monkeypatch.setattr(batches, "LATE", 0.05)

    class Hanging(Executor):
        async def run(self, call, *, only_reads):
            if call.tool == "x":
                await asyncio.Event().wait()
            return await super().run(call, only_reads=only_reads)

    calls = [tool_call("x", {"timeout": 0.05}), tool_call("read_file", _id="c")]
    async with asyncio.timeout(10):
        hanging, read = await Batches(Hanging(1), 3).run(calls)
    assert (hanging.code, hanging.outcome, read) == ("deadline_exceeded", "not_executed", "c")


class Threaded:
    """Has a user's work done in a thread, as reads are."""

    def __init__(self, pool, work):
        self.pool, self.work = pool, work

    async def run(self, call, *, only_reads):
        """Do it for the call's user."""
        deadline = time.monotonic() + call.context.timeout
        return await self.pool.run_for(call.context.user_id, deadline, self.work)


async def test_a_call_that_hangs_keeps_its_users_place_until_its_thread_ends(monkeypatch):
    """Its thread goes on: with the place given back, hanging threads were soon all there are."""
    monkeypatch.setattr(batches, "LATE", 0.05)
    pool, gate, unheard = ThreadPool(4, 60), threading.Event(), []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unheard.append(context))

    def hang():
        assert gate.wait(10)
        raise ToolError("path_not_found", "It has answered after all")

    batch = Batches(Threaded(pool, hang), 3)
    [hanging] = await batch.run([tool_call("x", {"timeout": 0.05})])
    with pytest.raises(SystemFault) as caught:
        await pool.run_for("local", time.monotonic() + 0.05, lambda: True)
    gate.set()
    assert await pool.run_for("local", time.monotonic() + 10, lambda: True)
    await pool.close()
    await asyncio.sleep(0)
    gc.collect()
    assert (hanging.code, caught.value.code) == ("deadline_exceeded", "deadline_exceeded")
    assert (unheard, batch._going) == ([], set())


async def test_a_batch_that_nobody_waits_for_any_more_ends_its_calls():
    """The client has gone."""
    begun, ended = asyncio.Event(), []

    class Cancelled(Executor):
        async def run(self, call, *, only_reads):
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                ended.append(call.id)

    batch = asyncio.create_task(Batches(Cancelled(1), 3).run([tool_call("x", _id="c")]))
    await begun.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert ended == ["c"]


async def test_a_file_system_that_times_out_is_not_the_calls_deadline():
    """A network's file system says so with an error that looks the same."""
    failure = TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    class Failing(Executor):
        async def run(self, call, *, only_reads):
            raise failure

    assert await Batches(Failing(1), 3).run([tool_call("x")]) == [failure]


async def test_a_batch_of_too_many_calls_is_refused_and_none_is_made():
    """Their answers are held at once."""
    executor = Executor(1)
    with pytest.raises(ClientError) as caught:
        await Batches(executor, 2).run([tool_call("read_file")] * 3)
    assert (caught.value.code, caught.value.context.limit) == ("request_too_large", 2)
    assert executor.only_reads == []


async def test_a_batch_makes_no_call_that_changes_files(executor, demo):
    """Nor its dry run; the others are made."""
    (demo / "x").write_text("1")
    refused = [
        tool_call("write_file", path="new", content="2"),
        tool_call("write_file", _dry_run=True, path="new", content="2"),
        tool_call("delete_path", path="x"),
    ]
    *ended, read = await Batches(executor, 9).run([*refused, tool_call("read_file", path="x")])
    assert [(one.code, one.context.path) for one in ended] == [
        ("invalid_request", "new"), ("invalid_request", "new"), ("invalid_request", "x"),
    ]  # fmt: skip
    assert all("POST /v1/tool-calls" in one.hint for one in ended)
    assert read.output["content"] == "1"
    assert [path.name for path in demo.iterdir() if path.name != "canary.txt"] == ["x"]
