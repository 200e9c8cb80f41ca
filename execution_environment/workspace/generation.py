"""Which making of a workspace this is: one that was deleted and made again is another one."""

import hashlib
import os

DIGITS = 16
"""Hex digits of a generation."""


def generation_of(status: os.stat_result, birth: int | None) -> str:
    """Return the generation of the workspace whose directory has this status.

    `birth` is when the directory was made, in nanoseconds; None where the file system does not keep
    that, and then an inode that is used again is taken for the same.
    """
    return hashlib.sha256(f"{status.st_ino}:{birth}".encode()).hexdigest()[:DIGITS]
