"""An event loop in a thread of its own: a client lives in one loop, and is asked from anywhere."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class OwnLoop:
    """Runs coroutines for callers with a loop of theirs, and for those without one.

    The thread begins with the first of them, and ends with `close`, or with the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._is_closed = False

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Block until it is done; return what it returns, or raise what it raises."""
        running = self._submit(work)
        try:
            return running.result()
        finally:
            running.cancel()  # an interrupted caller waits for nothing any more

    async def awaited(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for it in the caller's loop; a caller that is cancelled cancels it."""
        return await asyncio.wrap_future(self._submit(work))

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run what is to be run last, and end the thread; a second time it does nothing."""
        if self._is_closed:
            last.close()
            return
        self.wait(last)
        with self._lock:
            self._is_closed = True
            ending, self._running = self._running, None
        if ending is not None:
            loop, thread = ending
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        with self._lock:
            if self._is_closed:
                work.close()
                raise RuntimeError("The backend is closed")
            if self._running is None:
                self._running = _started()
            return asyncio.run_coroutine_threadsafe(work, self._running[0])


def _started() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="agentic-harness", daemon=True)
    thread.start()
    return loop, thread
