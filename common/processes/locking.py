"""Locks on files: among processes, and freed by the kernel when their holder ends, however it ends."""

from typing import Protocol

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None  # type: ignore[assignment]


class Descriptor(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Return its descriptor."""
        ...


def try_lock(file: Descriptor | int) -> bool:
    """Take the file's exclusive lock without waiting; tell whether it is ours (flock(2)).

    A system without such locks runs no services, only a client: there each has what it asks for.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
