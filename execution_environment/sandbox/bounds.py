"""The bounds of one call: how much it may read and write, and until when."""

import threading
import time
from dataclasses import dataclass, field

from common.errors import SystemFault


@dataclass(frozen=True)
class Bounds:
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
