"""Workspaces seen from outside: which there are, and what tells one from another."""

import errno
import hashlib
import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from common.files.paths import Parts
from common.ids import Name
from execution_environment.sandbox.descriptors import ANY, DIRECTORY, opened, status_at
from execution_environment.sandbox.syscalls import birth_of

DIGITS = 16
"""Hex digits of a generation."""
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@dataclass(frozen=True)
class Home:
    """The directory of a workspace, as it was when it was looked at."""

    status: os.stat_result
    generation: str
    """Which making of the workspace this is: one that was deleted and made again has another."""


def generation_of(status: os.stat_result, birth: int | None) -> str:
    """Return the generation of the workspace whose directory has this status.

    `birth` is when the directory was made, in nanoseconds; None where the file system does not keep
    that, and then an inode that is used again is taken for the same.
    """
    return hashlib.sha256(f"{status.st_ino}:{birth}".encode()).hexdigest()[:DIGITS]


def names_after(root: int, user: str, after: str, most: int) -> list[str]:
    """Return the names of the user's workspaces that come first after one, in order."""
    try:
        with opened(root, (user.encode(),), DIRECTORY) as directory:
            return heapq.nsmallest(most, _later(directory, after))
    except OSError as error:
        if error.errno not in _NOWHERE:
            raise
        return []


def _later(directory: int, after: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name > after and _is_name(entry.name):
                yield entry.name


def _is_name(name: str) -> bool:
    """Tell whether a workspace can have this name: what else lies there, nobody can ask for."""
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return False
    return True


def find_home(root: int, base: Parts) -> Home | None:
    """Return the directory that `base` leads to; None where there is none, or something else."""
    *above, leaf = base
    try:
        with opened(root, tuple(above), ANY | os.O_DIRECTORY) as directory:
            status = status_at(directory, leaf)
            if status is None or not stat.S_ISDIR(status.st_mode):
                return None
            return Home(status, generation_of(status, birth_of(directory, leaf)))
    except OSError as error:
        if error.errno not in _NOWHERE:
            raise
        return None
