"""One writer per workspace: a lock file each, waited for on the event loop, freed by any death."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from common.errors import SystemFault

FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.05
"""Seconds between two tries for a lock that another process holds."""


class WorkspaceLocks:
    """Exclusive among the tasks of this process (in order of arrival) and among processes."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True, mode=0o700)
        self._directory = directory
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def held(self, workspace: str, deadline: float) -> AsyncIterator[None]:
        """Hold the lock of `<user>/<workspace>`; raise `deadline_exceeded` when it stays taken."""
        queue = self._queues.setdefault(workspace, asyncio.Lock())
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                await queue.acquire()
        except TimeoutError as error:
            raise _too_late() from error
        try:
            descriptor = await asyncio.to_thread(self._open, workspace)
            try:
                await _take(descriptor, deadline)
                yield
            finally:
                os.close(descriptor)
        finally:
            queue.release()

    @contextmanager
    def tried(self, workspace: str) -> Iterator[bool]:
        """Hold the lock if nobody else does; tell whether it is held. For the start, in a thread."""
        descriptor = self._open(workspace)
        try:
            yield _is_taken(descriptor)
        finally:
            os.close(descriptor)

    def _open(self, workspace: str) -> int:
        path = self._directory / workspace.replace("/", ".")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


async def _take(descriptor: int, deadline: float) -> None:
    pause = FIRST_PAUSE
    while not _is_taken(descriptor):
        if time.monotonic() >= deadline:
            raise _too_late()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _too_late() -> SystemFault:
    return SystemFault(
        "deadline_exceeded",
        "Other calls kept the workspace busy until the deadline; nothing was changed",
        outcome="not_executed",
    )
