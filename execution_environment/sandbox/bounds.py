"""The bounds of one call: how much it may read and write, and until when."""

import time
from dataclasses import dataclass

from common.errors import SystemFault


@dataclass(frozen=True)
class Bounds:
    """Sizes in bytes; `deadline` on the monotonic clock, in seconds."""

    max_read: int
    max_write: int
    deadline: float

    def check_deadline(self) -> None:
        """Raise `deadline_exceeded` once time is up. Called between chunks: threads cannot be killed."""
        if time.monotonic() >= self.deadline:
            raise SystemFault(
                "deadline_exceeded",
                "The call's deadline has passed; nothing was changed",
                outcome="not_executed",
            )
