"""One writer per workspace: a lock file each, waited for on the event loop, freed by any death.

What must hold: between a workspace's intent and its last rename nobody else looks for open intents
or changes anything there. The committer, recovery and settlement rely on it. The lock is the kernel's
(flock): it ends with the process, however that ends, and never has to be broken.

A file is removed only by who holds its lock; who takes the lock of a file that was removed a moment
ago holds nothing, and takes that of the file that is there now.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from common.errors import SystemFault
from common.processes.locking import try_lock

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
        # flock tells nobody whose turn it is: within the process, first come is first served.
        queue = self._queues.setdefault(workspace, asyncio.Lock())
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                await queue.acquire()
        except TimeoutError as error:
            raise _too_late() from error
        try:
            descriptor = await self._taken(workspace, deadline)
            try:
                yield
            finally:
                os.close(descriptor)
        finally:
            queue.release()

    async def _taken(self, workspace: str, deadline: float) -> int:
        while True:
            descriptor = await asyncio.to_thread(self._open, workspace)
            try:
                await _take(descriptor, deadline)
            except BaseException:
                os.close(descriptor)
                raise
            if _is_there(descriptor):
                return descriptor
            os.close(descriptor)

    @contextmanager
    def tried(self, workspace: str) -> Iterator[bool]:
        """Hold the lock if nobody else does; tell whether it is held. Never waits; in a thread."""
        descriptor = self._open(workspace)
        try:
            yield try_lock(descriptor) and _is_there(descriptor)
        finally:
            os.close(descriptor)

    def forget(self, is_gone: Callable[[str], bool]) -> None:
        """Remove the lock files of workspaces that are gone and that nobody is busy with."""
        for name in os.listdir(self._directory):
            workspace = name.replace(".", "/")
            if is_gone(workspace):
                with self.tried(workspace) as is_held:
                    if is_held and is_gone(workspace):
                        (self._directory / name).unlink()

    def _open(self, workspace: str) -> int:
        path = self._directory / workspace.replace("/", ".")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


async def _take(descriptor: int, deadline: float) -> None:
    pause = FIRST_PAUSE
    while not try_lock(descriptor):
        if time.monotonic() >= deadline:
            raise _too_late()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _is_there(descriptor: int) -> bool:
    return os.fstat(descriptor).st_nlink > 0


def _too_late() -> SystemFault:
    return SystemFault(
        "deadline_exceeded",
        "Other calls kept the workspace busy until the deadline; nothing was changed",
        outcome="not_executed",
    )
