"""One writer at a time in each workspace, in line, whatever becomes of the lock's file."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from common.errors import SystemFault
from execution_environment.transactions.locks import WorkspaceLocks


async def test_lock_callers_of_one_process_wait_in_line(data_dir):
    """The deadline holds for those in line as well."""
    locks = WorkspaceLocks(data_dir / "locks")
    async with locks.held("local/demo", time.monotonic() + 5):
        with pytest.raises(SystemFault, match="busy"):
            async with locks.held("local/demo", time.monotonic() + 0.05):
                pass
        async with locks.held("local/other", time.monotonic() + 5):
            pass


async def test_who_waited_for_a_lock_whose_file_was_removed_holds_the_new_one(tmp_path):
    """Two would be inside at once: one with the old file's lock, one with the new file's."""
    locks, others = WorkspaceLocks(tmp_path), WorkspaceLocks(tmp_path)
    file, entered, leave = tmp_path / "a.b", asyncio.Event(), asyncio.Event()

    async def wait_and_hold():
        async with others.held("a/b", time.monotonic() + 30):
            entered.set()
            await leave.wait()

    with locks.tried("a/b") as is_held:
        assert is_held
        waiter = asyncio.create_task(wait_and_hold())
        while _opened(file) < 2:
            await asyncio.sleep(0.001)
        file.unlink()
    async with asyncio.timeout(10):
        await entered.wait()
    with locks.tried("a/b") as is_held:
        assert not is_held
    leave.set()
    await waiter


def _opened(file: Path) -> int:
    fds = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return [os.readlink(fd) for fd in fds if os.path.lexists(fd)].count(str(file))
