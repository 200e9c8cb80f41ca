"""Walking a tree: bounded in entries, descriptors and time, and never through a link."""

import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from common.files.paths import Parts, show_path
from execution_environment.sandbox.descriptors import DIRECTORY, opened
from execution_environment.sandbox.limits import CallLimits, Usage

INTERVAL = 1000
"""Entries of a directory between two looks at the clock."""
PASSED_OVER = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENAMETOOLONG}
"""What a directory says that is not what it was when its name was read."""


@dataclass(frozen=True)
class Entry:
    """Something in a tree, as it was when it was seen."""

    parts: Parts
    status: os.stat_result

    @property
    def path(self) -> str:
        """The path as clients write it."""
        return show_path(self.parts)


def read_directory(
    root: int, base: Parts, parts: Parts, check: Callable[[], None] = lambda: None
) -> list[Entry]:
    """Return a directory's entries; `base` leads to the workspace, `parts` from there on.

    `check` is called now and then, and may raise.
    """
    with opened(root, base + parts, DIRECTORY) as directory, scanned(directory, check) as found:
        return [
            Entry((*parts, os.fsencode(item.name)), status)
            for item in found
            if (status := _status(item)) is not None
        ]


@contextmanager
def scanned(descriptor: int, check: Callable[[], None]) -> Iterator[Iterator["os.DirEntry[str]"]]:
    """Read a directory for the time of the context; `check` is called now and then, and may raise."""
    with os.scandir(descriptor) as entries:
        yield _in_time(entries, check)


def _in_time(
    entries: Iterator["os.DirEntry[str]"], check: Callable[[], None]
) -> Iterator["os.DirEntry[str]"]:
    for number, entry in enumerate(entries):
        if number % INTERVAL == 0:
            check()
        yield entry


def read_names(root: int, path: Parts, most: int) -> list[bytes]:
    """Return the names of so many of a directory's entries, whichever come first."""
    with opened(root, path, DIRECTORY) as descriptor, os.scandir(descriptor) as found:
        return [os.fsencode(item.name) for item in itertools.islice(found, most)]


def _status(item: "os.DirEntry[str]") -> os.stat_result | None:
    # Asked while the directory's descriptor is open: later, its number may be another's.
    try:
        return item.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def scan(
    root: int, base: Parts, start: Parts, depth: int | None, limits: CallLimits
) -> Iterator[list[Entry]]:
    """Yield what lies in each directory from `start` on, parents before children.

    Each directory is opened anew from the root, so any depth takes one descriptor. One that
    vanished or was replaced meanwhile is passed over.
    """
    entries = read_directory(root, base, start, limits.check_deadline)
    yield entries
    pending = list(_directories(entries, start, depth))
    while pending:
        limits.check_deadline()
        found = _read_if_there(root, base, pending.pop(), limits)
        yield found
        pending += _directories(found, start, depth)


def measure(root: int, base: Parts, start: Parts, limits: CallLimits) -> Usage:
    """Return how much a directory is, however large: its files' bytes; entries with its top."""
    entries, size = 1, 0
    for found in scan(root, base, start, None, limits):
        entries += len(found)
        size += sum(item.status.st_size for item in found if stat.S_ISREG(item.status.st_mode))
    return Usage(size, entries)


def _read_if_there(root: int, base: Parts, parts: Parts, limits: CallLimits) -> list[Entry]:
    try:
        return read_directory(root, base, parts, limits.check_deadline)
    except OSError as error:
        if error.errno not in PASSED_OVER:
            raise
        return []


def _directories(entries: list[Entry], start: Parts, depth: int | None) -> Iterator[Parts]:
    for entry in entries:
        is_in_reach = depth is None or len(entry.parts) - len(start) < depth
        if is_in_reach and stat.S_ISDIR(entry.status.st_mode):
            yield entry.parts
