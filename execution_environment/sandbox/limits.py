"""The bounds of one call: how much it may read, write and take up, and until when."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from common.errors import SystemFault, ToolError

UNLIMITED = 2**62
STEP = 1024 * 1024
"""Bytes that a call stages before it says so, and in each of the steps from there on."""


def unshared(_size: int) -> None:
    """Reserve nothing: nobody else stages anything."""


@dataclass
class Meter:
    """What a call adds to its workspace, against the room that the quotas leave there."""

    room: int = UNLIMITED
    """Bytes that the call may add."""
    places: int = UNLIMITED
    """Entries (files and directories) that the call may add."""
    reserve: Callable[[int], None] = unshared
    """Takes so many bytes of what all calls together may stage for the workspace, gives back less
    than none; raises `quota_exceeded`."""
    size: int = 0
    entries: int = 0
    staged: int = 0
    reserved: int = 0

    def add(self, size: int = 0, entries: int = 0) -> None:
        """Count what is added (less than zero: freed); raise `quota_exceeded` past the room."""
        self.size += size
        self.entries += entries
        if size > 0 and self.size > self.room:
            self._refuse("bytes", self.room, self.size)
        if entries > 0 and self.entries > self.places:
            self._refuse("files and directories", self.places, self.entries)
        self.staged += max(size, 0)
        while self.staged >= self.reserved + STEP:
            self.reserve(STEP)
            self.reserved += STEP

    def reset(self) -> None:
        """Forget what was added: the work starts anew, in the room that is reserved for it."""
        self.size = self.entries = self.staged = 0

    def release(self) -> None:
        """Give back what was reserved: nothing is staged any more."""
        self.reserve(-self.reserved)
        self.reserved = 0

    def _refuse(self, unit: str, left: int, needed: int) -> None:
        left = max(left, 0)
        raise ToolError(
            "quota_exceeded",
            f"The workspace has room for {left} more {unit}; this takes {needed}",
            limit=left,
            actual=needed,
        )


@dataclass(frozen=True)
class Bounds:
    """Sizes in bytes; `deadline` on the monotonic clock, in seconds; `stopping` ends all work."""

    max_read: int
    max_write: int
    deadline: float
    stopping: threading.Event = field(default_factory=threading.Event)
    meter: Meter = field(default_factory=Meter)

    def check_deadline(self) -> None:
        """Raise once time is up. Called between chunks, because a thread cannot be killed."""
        if self.stopping.is_set():
            raise SystemFault("unavailable", "The service is stopping; nothing was changed")
        if time.monotonic() >= self.deadline:
            raise SystemFault(
                "deadline_exceeded",
                "The call's deadline has passed; nothing was changed",
                outcome="not_executed",
            )
