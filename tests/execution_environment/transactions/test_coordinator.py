"""Attempts at a call: they wait for the workspace, hold its lock to the end, and find one another."""

import asyncio
import threading
import time
from contextlib import nullcontext

import pytest

from common.errors import AgenticError, SystemFault
from execution_environment.ledger.ledger import Ledger
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.transaction import Transaction
from tests.execution_environment.conftest import staged_in, tool_call
from tests.execution_environment.transactions.crashes import CHANGES


class Overtaken(Ledger):
    """Lets another attempt at the call come to its end after each look that finds none."""

    other = None

    def find(self, key):
        """Look, then wait for the other."""
        stored = super().find(key)
        other, self.other = self.other, None
        if other is not None:
            other()
        return stored


@pytest.mark.parametrize("name", CHANGES)
async def test_an_attempt_that_another_one_overtakes_has_its_result(assemble, filled, name):
    """What it looks at is the other's effect by then: it was told 409 or 404, and not to repeat it."""
    tool, arguments = CHANGES[name]
    call, loop = tool_call(tool, _id="a", **arguments), asyncio.get_running_loop()
    first, ledgers = assemble(), []

    def overtaken(path):
        ledgers.append(Overtaken(path))
        return ledgers[0]

    second = assemble(make_ledger=overtaken)
    ledgers[0].other = lambda: asyncio.run_coroutine_threadsafe(
        first.executor.run(call), loop
    ).result(timeout=10)
    result = await second.executor.run(call)
    assert (result.replayed, ledgers[0].other) == (True, None)
    ledgers[0].other = lambda: asyncio.run_coroutine_threadsafe(
        first.executor.run(tool_call("write_file", _id="b", path="fresh", content="1")), loop
    ).result(timeout=10)
    with pytest.raises(AgenticError) as caught:
        await second.executor.run(tool_call("write_file", _id="b", path="fresh", content="2"))
    assert caught.value.code == "idempotency_conflict"
    await second.close()
    await first.close()


@pytest.mark.parametrize("is_free", [True, False])
async def test_the_workspace_lock_is_held_until_the_change_is_made(
    assemble, data_dir, demo, is_free
):
    """Whoever waits for a call may leave, and its thread goes on: nobody else comes in between."""
    loop, arrived, leave = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def stay(step):
        if step == "committed":
            loop.call_soon_threadsafe(arrived.set)
            assert leave.wait(10)

    parts, locks = assemble(observe=stay), WorkspaceLocks(data_dir / "state/locks")
    with locks.tried("local/demo") if not is_free else nullcontext():
        call = tool_call("write_file", path="x", content="1")
        task = asyncio.create_task(parts.executor.run(call))
        while not (is_free or len(staged_in(data_dir)) > 1):
            await asyncio.sleep(0.01)
    await arrived.wait()
    task.cancel()
    for _ in range(10):  # the cancellation has gone as far as it can
        await asyncio.sleep(0)
    with locks.tried("local/demo") as is_held:
        assert not is_held
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await parts.close()
    assert (demo / "x").read_text() == "1"


async def test_a_call_waits_for_the_workspaces_lock(call, data_dir):
    """Another process may hold it; its deadline bounds the wait, and nothing is changed."""
    with WorkspaceLocks(data_dir / "state" / "locks").tried("local/demo"):
        with pytest.raises(SystemFault) as caught:
            await call("write_file", {"timeout": 0.2}, path="x", content="1")
        waiting = asyncio.create_task(call("write_file", path="x", content="2"))
        await asyncio.sleep(0)
    assert (caught.value.code, caught.value.outcome) == ("deadline_exceeded", "not_executed")
    assert (await waiting).receipts[0].created


async def test_coordinator_removes_what_a_cancelled_call_has_staged(parts, data_dir):
    """Its thread goes on, and nobody is there any more to commit what it makes."""
    coordinator, threads = parts.executor._coordinator, parts.threads
    call = tool_call("write_file", path="x", content="1")
    staged, gate = threading.Event(), threading.Event()

    def stage():
        workspace = parts.executor._workspaces.open(call.context, time.monotonic())
        transaction = Transaction(call, workspace, put)
        begun = coordinator.stage(transaction)
        staged.set()
        assert gate.wait(10)
        return begun

    def put(workspace):
        workspace.files.put("x", b"1", None)
        return {}

    begun = asyncio.create_task(coordinator.perform(call, time.monotonic() + 30, stage))
    assert await threads.run(staged.wait, 10)
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun
    assert len(staged_in(data_dir)) == 2  # the process's directory, and the file
    gate.set()
    while len(staged_in(data_dir)) > 1:
        await asyncio.sleep(0.01)
