"""The bounded threads in which all file work is done, off the event loop."""

import asyncio
import threading
import time
from asyncio import Future
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from common.errors import SystemFault
from common.logs import get_logger
from common.shares import Shares

P = ParamSpec("P")
T = TypeVar("T")
log = get_logger(__name__)
MAX_CALLS_TO_FREE = 3
"""One user's calls may take three of four places in the line."""
THREADS_TO_FREE = 1 / 3
"""And one of four threads: more that compute would only wait for the interpreter, and all others,
the event loop first, for them."""


class ThreadPool:
    """`size` threads, and at most `backlog` calls that wait for one.

    A thread cannot be killed, so no user gets more than a part of them: those that one user's calls
    hold until their deadlines keep nobody else waiting.
    """

    def __init__(self, size: int, backlog: int) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="files")
        self._most = size + backlog
        self._taken = 0
        self._calls = Shares(self._most, ratio=MAX_CALLS_TO_FREE)
        self._shares = Shares(size, ratio=THREADS_TO_FREE)
        self._waiting: list[tuple[str, Future[None]]] = []
        self._background: set[asyncio.Task[Any]] = set()
        self.stopping = threading.Event()
        """Set at the end: work that looks at it stops."""

    async def run_for(
        self, user: str, deadline: float, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do a user's work in a thread; raise `overloaded` when too much of it is waiting already.

        Raises `deadline_exceeded` when no thread is free for it until then (monotonic, in seconds).
        """
        self._require_room()
        if not self._calls.take(user):
            raise SystemFault("overloaded", "Too many calls of this user are waiting for a thread")
        try:
            if not self._shares.take(user):
                await self._turn_of(user, deadline)
            try:
                return await self.run_admitted(func, *args, **kwargs)
            finally:
                self._give_back(user)
        finally:
            self._calls.give(user)

    async def run(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the service's own work in a thread; raise `overloaded` when too much is waiting."""
        self._require_room()
        return await self.run_admitted(func, *args, **kwargs)

    async def run_admitted(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do work of a call that was let in, whatever is waiting: only so can calls end."""
        self._taken += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, partial(func, *args, **kwargs))
        finally:
            self._taken -= 1

    def run_in_background(self, func: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do work that nobody waits for but the end of the service."""
        task = asyncio.create_task(self.run_admitted(func, *args, **kwargs))
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _require_room(self) -> None:
        if self._taken + len(self._waiting) >= self._most:
            raise SystemFault(
                "overloaded", "Too many calls are waiting for a thread", limit=self._most
            )

    async def _turn_of(self, user: str, deadline: float) -> None:
        """Wait in line for one of the user's threads."""
        turn: Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((user, turn))
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await turn
        except BaseException as failure:
            if turn.cancelled():
                self._waiting.remove((user, turn))
            else:  # the turn came together with the end
                self._give_back(user)
            if isinstance(failure, TimeoutError):
                raise _too_late() from failure
            raise

    def _give_back(self, user: str) -> None:
        self._shares.give(user)
        for place in list(self._waiting):
            name, turn = place
            if not turn.done() and self._shares.take(name):
                self._waiting.remove(place)
                turn.set_result(None)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work that nobody waits for failed", exc_info=task.exception())

    async def close(self) -> None:
        """Ask the work in hand to stop, wait until it has, and end the threads."""
        self.stopping.set()
        while self._background:  # what ends may leave more to do
            await asyncio.wait(self._background)
        await asyncio.to_thread(self._threads.shutdown)


async def until_done(work: Coroutine[Any, Any, T]) -> T:
    """Wait for work however often that is cancelled: it goes on, and needs what is held for it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from task.exception()
    return task.result()


def _too_late() -> SystemFault:
    return SystemFault(
        "deadline_exceeded",
        "The call's deadline has passed before a thread was free for it; nothing was changed",
        outcome="not_executed",
    )
