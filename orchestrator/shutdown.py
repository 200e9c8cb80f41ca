"""The end of the process: what a signal sets going at once, and the time that is left for it."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta


class Shutdown:
    """Carries the signal into the event loop, and counts the time that is left."""

    def __init__(self, grace: timedelta, end: Callable[[], None] = lambda: None) -> None:
        """Take the time there is, and what asks the process to end."""
        self._grace = grace.total_seconds()
        self._end = end
        self.has_failed = False
        self._deadline: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._callbacks: tuple[Callable[[], None], ...] = ()

    def arm(self, *callbacks: Callable[[], None]) -> None:
        """Name what shall happen; called on the event loop."""
        self._loop, self._callbacks = asyncio.get_running_loop(), callbacks

    def fail(self) -> None:
        """End the process, in order, as one that has failed."""
        self.has_failed = True
        self._end()

    def fire(self) -> None:
        """Make it happen; called from a signal handler, or when the application closes."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._grace
            for callback in self._callbacks:
                assert self._loop is not None  # noqa: S101  # armed together with the callbacks
                self._loop.call_soon_threadsafe(callback)

    @property
    def seconds_left(self) -> float:
        """Seconds of the grace that are left."""
        deadline = self._deadline or time.monotonic() + self._grace
        return max(deadline - time.monotonic(), 0.0)
