"""Whose turn it is at each workspace, within this process: first come, first served.

A thread may take a turn that is free, and never waits for one; who waits is on the event loop.
"""

import asyncio
import threading
import time
from asyncio import Future
from collections import deque


class Turns:
    """The lines, by workspace; one that nobody is in does not exist."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._lines: dict[str, deque[Future[None]]] = {}

    def take(self, workspace: str) -> bool:
        """Take the turn if it is free; tell whether it was. In any thread."""
        with self._mutex:
            is_free = workspace not in self._lines
            if is_free:
                self._lines[workspace] = deque()
            return is_free

    async def wait(self, workspace: str, deadline: float) -> None:
        """Take the turn when it comes; raise TimeoutError when it does not until then.

        `deadline` is on the monotonic clock, in seconds.
        """
        place = self._place(workspace)
        if place is None:
            return
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                await place
        except BaseException:
            if not place.cancelled():  # the turn came together with the end
                self.give(workspace)
            raise

    def give(self, workspace: str) -> None:
        """Give the turn to whoever is next. In any thread."""
        with self._mutex:
            line = self._lines[workspace]
            if not line:
                del self._lines[workspace]
                return
            following = line.popleft()
        following.get_loop().call_soon_threadsafe(self._hand_over, workspace, following)

    def _place(self, workspace: str) -> Future[None] | None:
        """Take a place in line; None where the turn was free, and is taken."""
        with self._mutex:
            line = self._lines.get(workspace)
            if line is None:
                self._lines[workspace] = deque()
                return None
            place: Future[None] = asyncio.get_running_loop().create_future()
            line.append(place)
            return place

    def _hand_over(self, workspace: str, following: Future[None]) -> None:
        """Let who is next go on; who has gone meanwhile passes the turn on."""
        if following.cancelled():
            self.give(workspace)
        else:
            following.set_result(None)
