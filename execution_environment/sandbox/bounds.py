"""The bounds of one call: how much it may read, write and take up, and until when."""

import threading
import time
from dataclasses import dataclass, field

from common.errors import SystemFault, ToolError

UNLIMITED = 2**62


@dataclass
class Meter:
    """What a call adds to its workspace, against the room that the quotas leave there."""

    room: int = UNLIMITED
    """Bytes that the call may add."""
    places: int = UNLIMITED
    """Entries (files and directories) that the call may add."""
    size: int = 0
    entries: int = 0

    def add(self, size: int = 0, entries: int = 0) -> None:
        """Count what is added (less than zero: freed); raise `quota_exceeded` past the room."""
        self.size += size
        self.entries += entries
        if size > 0 and self.size > self.room:
            self._refuse("bytes", self.room, self.size)
        if entries > 0 and self.entries > self.places:
            self._refuse("files and directories", self.places, self.entries)

    def reset(self) -> None:
        """Forget what was added: the work starts anew."""
        self.size = self.entries = 0

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
