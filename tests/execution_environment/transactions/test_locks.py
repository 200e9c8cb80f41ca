"""One writer at a time in each workspace, in line, whatever becomes of the lock's file."""

import asyncio
import threading
import time
from functools import partial

import pytest

from common.errors import SystemFault
from execution_environment.transactions.locks import WorkspaceLocks


def soon() -> float:
    """Return a deadline that nobody should reach."""
    return time.monotonic() + 30


class Stay:
    """Work that holds a lock until it may leave."""

    def __init__(self):
        self._loop, self.arrived = asyncio.get_running_loop(), asyncio.Event()
        self.leave = threading.Event()

    def __call__(self):
        """Say that it is there, and wait."""
        self._loop.call_soon_threadsafe(self.arrived.set)
        return self.leave.wait(10)


async def test_work_of_one_process_waits_in_line_for_a_lock(tmp_path):
    """The deadline holds for those in line as well; another workspace is another line."""
    locks, stay = WorkspaceLocks(tmp_path), Stay()
    first = asyncio.create_task(locks.exclusively("local/demo", soon(), asyncio.to_thread, stay))
    await stay.arrived.wait()
    with pytest.raises(SystemFault, match="busy"):
        await locks.exclusively("local/demo", time.monotonic() + 0.05, asyncio.to_thread, int)
    assert await locks.exclusively("local/other", soon(), asyncio.to_thread, int) == 0
    with locks.tried("local/demo") as is_held:
        assert not is_held
    stay.leave.set()
    assert await first


async def test_work_waits_for_a_lock_that_another_process_holds(tmp_path):
    """Until the deadline; then nothing was done."""
    locks, others = WorkspaceLocks(tmp_path), WorkspaceLocks(tmp_path)
    done = []
    with others.tried("a/b") as is_held:
        assert is_held
        with pytest.raises(SystemFault, match="busy"):
            await locks.exclusively(
                "a/b", time.monotonic() + 0.05, asyncio.to_thread, partial(done.append, 1)
            )
        waiting = asyncio.create_task(
            locks.exclusively("a/b", soon(), asyncio.to_thread, partial(done.append, 2))
        )
        await asyncio.sleep(0)
    await waiting
    assert done == [2]


async def test_work_that_was_cancelled_holds_its_lock_to_the_end(tmp_path):
    """Its thread goes on: nobody may come in between."""
    locks, stay = WorkspaceLocks(tmp_path), Stay()
    task = asyncio.create_task(locks.exclusively("a/b", soon(), asyncio.to_thread, stay))
    await stay.arrived.wait()
    task.cancel()
    for _ in range(10):  # the cancellation has gone as far as it can
        await asyncio.sleep(0)
    for each in (locks, WorkspaceLocks(tmp_path)):
        with each.tried("a/b") as is_held:
            assert not is_held
    stay.leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    with locks.tried("a/b") as is_held:
        assert is_held


async def test_the_lock_of_a_file_that_was_removed_is_not_held(tmp_path):
    """Two would be inside at once: one with the old file's lock, one with the new file's."""
    locks, others = WorkspaceLocks(tmp_path), WorkspaceLocks(tmp_path)
    opened, removals = locks._open, [1]

    def open_one_that_is_removed(workspace):
        descriptor = opened(workspace)
        if removals:
            removals.clear()
            (tmp_path / "a.b").unlink()
        return descriptor

    locks._open = open_one_that_is_removed
    with locks.tried("a/b") as is_held:
        assert is_held
        with others.tried("a/b") as is_theirs:
            assert not is_theirs
