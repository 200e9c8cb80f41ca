"""The pool of threads: bounded lines, and none for one user alone."""

import asyncio
import threading
import time

import pytest

from common.errors import SystemFault
from execution_environment.threads import ThreadPool


async def test_the_thread_pool_refuses_too_many_calls_at_once():
    """A clear 503 beats a queue without an end."""
    pool, gate = ThreadPool(1, 1), threading.Event()
    waiting = [asyncio.create_task(pool.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(SystemFault) as caught:
        await pool.run(gate.wait)
    gate.set()
    await asyncio.gather(*waiting)
    await pool.close()
    assert (caught.value.code, caught.value.retryable) == ("overloaded", True)


def later() -> float:
    """A deadline that does not get in the way."""
    return time.monotonic() + 60


async def test_a_call_waits_for_a_thread_until_its_deadline():
    """It is in line behind others of its user, who may hold theirs for much longer."""
    pool, gate, work = ThreadPool(2, 6), threading.Event(), []
    holding = asyncio.create_task(pool.run_for("eve", later(), lambda: gate.wait(10)))
    await asyncio.sleep(0)
    with pytest.raises(SystemFault) as caught:
        await pool.run_for("eve", time.monotonic() + 0.05, lambda: work.append(1))
    gate.set()
    await holding
    await pool.close()
    assert (caught.value.code, caught.value.outcome) == ("deadline_exceeded", "not_executed")
    assert work == []


async def test_one_users_calls_leave_threads_to_others():
    """A thread cannot be killed: whoever holds some until a deadline must not hold them all."""
    pool, gate = ThreadPool(4, 60), threading.Event()
    waiting = [
        asyncio.create_task(pool.run_for("eve", later(), lambda: gate.wait(10))) for _ in range(40)
    ]
    await asyncio.sleep(0)
    others = [pool.run_for(name, later(), lambda: True) for name in ("ann", "bob")]
    assert await asyncio.wait_for(asyncio.gather(*others), 5) == [True, True]
    waiting.pop().cancel()
    waiting.pop(0).cancel()
    gate.set()
    await asyncio.gather(*waiting)
    assert await pool.run_for("eve", later(), lambda: True)
    await pool.close()


async def test_one_users_calls_leave_places_in_the_line_for_threads_to_others():
    """Otherwise all others were refused as long as it lasts."""
    pool, gate = ThreadPool(1, 7), threading.Event()
    waiting = [
        asyncio.create_task(pool.run_for("eve", later(), lambda: gate.wait(10))) for _ in range(8)
    ]
    other = asyncio.create_task(pool.run_for("ann", later(), lambda: True))
    await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    codes = [outcome.code for outcome in outcomes if isinstance(outcome, SystemFault)]
    assert codes == ["overloaded", "overloaded"]
    assert await other
    await pool.close()


async def test_background_work_that_fails_is_logged(caplog):
    """Such as emptying what was deleted: an error must not vanish with its task."""
    pool = ThreadPool(1, 1)
    pool.run_in_background(lambda: 1 / 0)
    await pool.close()
    assert "work that nobody waits for failed" in caplog.text


async def test_background_work_that_comes_while_the_pool_closes_is_done(monkeypatch, caplog):
    """A call that ends has its clean-up done then; the threads must not be gone by that time."""
    pool, gate, work = ThreadPool(1, 4), threading.Event(), []

    async def at_once(func):
        func()

    monkeypatch.setattr(asyncio, "to_thread", at_once)  # nothing comes between
    pool.run_in_background(lambda: gate.wait(10))
    [task] = pool._background
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0)
    task.add_done_callback(lambda _: pool.run_in_background(lambda: work.append(1)))
    gate.set()
    await closing
    await asyncio.sleep(0)
    assert (work, caplog.text) == ([1], "")
