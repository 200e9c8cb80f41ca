"""Marks: what tells a file from every other that was or will be in its place.

An inode alone does not: file systems hand freed ones out again, ext4 nearly always the next moment.
"""

from execution_environment.sandbox.descriptors import status_at
from execution_environment.sandbox.syscalls import birth_of, handle_of


def mark_at(directory: int, leaf: bytes) -> str | None:
    """Return the mark of a directory's entry (of a link itself), None when there is none.

    It outlasts changes of content, mode, owner and name. Raises OSError where the file system
    keeps neither birth times nor handles of files.
    """
    try:
        status = status_at(directory, leaf)
        if status is None:
            return None
        birth = birth_of(directory, leaf)
        return handle_of(directory, leaf).hex() if birth is None else f"{status.st_ino}@{birth}"
    except FileNotFoundError:  # gone in between
        return None
