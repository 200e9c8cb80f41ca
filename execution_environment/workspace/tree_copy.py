"""Whole trees: measured, and copied from descriptor to descriptor."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass

from execution_environment.sandbox import walking
from execution_environment.sandbox.descriptors import (
    DIRECTORY,
    PERMISSIONS,
    make_directory,
    opened,
    opened_file,
)
from execution_environment.sandbox.limits import Bounds
from execution_environment.sandbox.paths import Parts
from execution_environment.sandbox.staging import write_file
from execution_environment.sandbox.walking import Entry
from execution_environment.workspace.metered import Passing
from execution_environment.workspace.snapshots import chunks


@dataclass(frozen=True)
class Measure:
    """How much a tree is: entries with its top, and bytes of its regular files."""

    entries: int
    size: int


def measure(root: int, base: Parts, start: Parts, bounds: Bounds) -> Measure:
    """Measure a directory, however large."""
    entries, size = 1, 0
    for found in walking.scan(root, base, start, None, bounds):
        entries += len(found)
        size += sum(item.status.st_size for item in found if stat.S_ISREG(item.status.st_mode))
    return Measure(entries, size)


class TreeCopy:
    """Copies what lies beneath a directory into a staged one; links and specials are left out."""

    def __init__(self, root: int, base: Parts, source: Parts, bounds: Bounds) -> None:
        self._root = root
        self._base = base
        self._source = source
        self._bounds = bounds
        self.size = 0
        self.skipped: list[Entry] = []

    def entries(self) -> Iterator[Entry]:
        """Yield what is to be copied, parents first; note what is left out."""
        for found in walking.scan(self._root, self._base, self._source, None, self._bounds):
            for item in found:
                if stat.S_ISDIR(item.status.st_mode) or stat.S_ISREG(item.status.st_mode):
                    yield item
                else:
                    self.skipped.append(item)

    def count(self) -> None:
        """Find out what a copy would take, as a dry run does."""
        for item in self.entries():
            is_file = stat.S_ISREG(item.status.st_mode)
            self.size += item.status.st_size if is_file else 0
            self._bounds.meter.add(item.status.st_size if is_file else 0, 1)

    def fill(self, directory: int) -> None:
        """Copy into the directory that the descriptor holds."""
        for item in self.entries():
            self._bounds.check_deadline()
            below = item.parts[len(self._source) :]
            with opened(directory, below[:-1], DIRECTORY) as parent:
                self._copy(item, parent, below[-1])

    def _copy(self, item: Entry, parent: int, leaf: bytes) -> None:
        self._bounds.meter.add(entries=1)
        mode = item.status.st_mode & PERMISSIONS
        if stat.S_ISDIR(item.status.st_mode):
            make_directory(parent, leaf, mode | stat.S_IRWXU)
            return
        with opened_file(self._root, self._base + item.parts, item.path) as (descriptor, _):
            passing = Passing(chunks(descriptor, self._bounds), self._bounds)
            write_file(parent, leaf, passing, mode)
            self.size += passing.size
