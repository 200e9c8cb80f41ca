"""What a session's planners have said lately: kept once, for all who listen."""

from collections import deque
from collections.abc import Sequence
from itertools import islice

from orchestrator.streaming.frames import Frame

PIECES = 64
SIZE = 64 * 1024
"""Pieces, and characters of their JSON, that are kept for listeners who are a little behind. Whoever
is further behind misses some: the text so far has all of it."""


class Spoken:
    """The last pieces; a listener keeps only the number of those that there had been."""

    def __init__(self) -> None:
        self.count = 0
        """Of all pieces there have been."""
        self._frames: deque[Frame] = deque()
        self._size = 0

    def add(self, frame: Frame) -> None:
        """Keep a piece, and let go of the oldest where they are too many."""
        self.count += 1
        self._frames.append(frame)
        self._size += len(frame.json)
        while len(self._frames) > 1 and (len(self._frames) > PIECES or self._size > SIZE):
            self._size -= len(self._frames.popleft().json)

    def after(self, count: int) -> Sequence[Frame]:
        """Return what is kept of the pieces after the first `count`."""
        new = self.count - count
        return list(islice(self._frames, max(len(self._frames) - new, 0), None)) if new else ()
