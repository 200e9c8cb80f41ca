"""Locks on files: among processes, and freed by the kernel when their holder ends, however it ends."""

import fcntl
from typing import Protocol


class Descriptor(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Return its descriptor."""
        ...


def try_lock(file: Descriptor | int) -> bool:
    """Take the file's exclusive lock without waiting; tell whether it is ours (flock(2))."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
