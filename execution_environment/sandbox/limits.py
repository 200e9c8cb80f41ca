"""The limits of one call: how much it may read, write and take up, and until when."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from common.errors import SystemFault, ToolError

STEP = 1024 * 1024
"""Bytes that a call stages before it reserves room for them, and in each of the steps from there."""


@dataclass(frozen=True)
class Usage:
    """What a workspace takes up, may take up, or grows by: bytes of files, and entries."""

    size: int
    entries: int


UNLIMITED = Usage(2**62, 2**62)


def unshared(_size: int) -> None:
    """Reserve nothing: nobody else stages anything."""


@dataclass
class QuotaMeter:
    """What a call adds to its workspace, against the room that the quota leaves there."""

    quota: Usage = UNLIMITED
    """What the workspace may take up."""
    used: Usage = Usage(0, 0)
    """What it takes up already."""
    reserve: Callable[[int], None] = unshared
    """Takes so many bytes of what all calls together may stage for the workspace, gives back less
    than none; raises `quota_exceeded`."""
    size: int = 0
    entries: int = 0
    staged: int = 0
    reserved: int = 0

    @property
    def growth(self) -> Usage:
        """What the call adds, in all."""
        return Usage(self.size, self.entries)

    def add(self, size: int = 0, entries: int = 0) -> None:
        """Count what is added (less than zero: freed); raise `quota_exceeded` past the room."""
        self.size += size
        self.entries += entries
        if size > 0:
            require_room("bytes", self.quota.size - self.used.size, self.size)
        if entries > 0:
            places = self.quota.entries - self.used.entries
            require_room("files and directories", places, self.entries)
        self.staged += max(size, 0)
        while self.staged >= self.reserved + STEP:
            self.reserve(STEP)
            self.reserved += STEP

    def reset(self) -> None:
        """Forget what was added: the work starts anew, in the room that is reserved for it."""
        self.size = self.entries = self.staged = 0

    def release(self) -> None:
        """Give back what was reserved: nothing is staged any more."""
        if self.reserved > 0:
            self.reserve(-self.reserved)
            self.reserved = 0


def require_room(unit: str, left: int, needed: int) -> None:
    """Raise `quota_exceeded` where a workspace has less room left than is needed."""
    if needed > left:
        left = max(left, 0)
        raise ToolError(
            "quota_exceeded",
            f"The workspace has room for {left} more {unit}; this takes {needed}",
            limit=left,
            actual=needed,
        )


@dataclass(frozen=True)
class CallLimits:
    """Sizes in bytes; `deadline` on the monotonic clock, in seconds; `stopping` ends all work."""

    max_read: int
    max_write: int
    deadline: float
    stopping: threading.Event = field(default_factory=threading.Event)

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
