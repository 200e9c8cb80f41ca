"""The bounded pool in which all file work is done, off the event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from common.errors import SystemFault

T = TypeVar("T")


class Pool:
    """`size` threads, and at most `backlog` calls that wait for one."""

    def __init__(self, size: int, backlog: int) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="files")
        self._most = size + backlog
        self._taken = 0
        self.stopping = threading.Event()
        """Set at the end: work that looks at it stops."""

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work in a thread; raise `overloaded` when too much is waiting already."""
        if self._taken >= self._most:
            raise SystemFault(
                "overloaded", "Too many calls are waiting for a thread", limit=self._most
            )
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._taken -= 1

    def close(self) -> None:
        """Ask the work in hand to stop, wait until it has, and end the threads."""
        self.stopping.set()
        self._threads.shutdown()
