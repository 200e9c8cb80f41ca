"""The bounded pool in which all file work is done, off the event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from common.errors import SystemFault
from common.logs import get_logger

T = TypeVar("T")
log = get_logger(__name__)


class Pool:
    """`size` threads, and at most `backlog` calls that wait for one."""

    def __init__(self, size: int, backlog: int) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="files")
        self._most = size + backlog
        self._taken = 0
        self._later: set[asyncio.Task[Any]] = set()
        self.stopping = threading.Event()
        """Set at the end: work that looks at it stops."""

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work in a thread; raise `overloaded` when too much is waiting already."""
        if self._taken >= self._most:
            raise SystemFault(
                "overloaded", "Too many calls are waiting for a thread", limit=self._most
            )
        return await self.finish(work)

    async def finish(self, work: Callable[[], T]) -> T:
        """Do the work in a thread, whatever is waiting: it ends a call that was let in."""
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._taken -= 1

    def afterwards(self, work: Callable[[], Any]) -> None:
        """Do work that nobody waits for but the end of the service."""
        task = asyncio.create_task(self.finish(work))
        self._later.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._later.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work that nobody waits for failed", exc_info=task.exception())

    async def close(self) -> None:
        """Ask the work in hand to stop, wait until it has, and end the threads."""
        self.stopping.set()
        await asyncio.gather(*self._later, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)
