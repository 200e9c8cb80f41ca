"""Whole trees, copied from descriptor to descriptor."""

import os
import stat
from collections.abc import Iterator

from common.files.paths import Parts
from execution_environment.sandbox import walking
from execution_environment.sandbox.descriptors import (
    DIRECTORY,
    PERMISSIONS,
    chunks,
    make_directory,
    opened,
    opened_file,
    write_file,
)
from execution_environment.sandbox.limits import CallLimits, QuotaMeter
from execution_environment.sandbox.walking import Entry
from execution_environment.workspace.metered import MeteredStream
from execution_environment.workspace.root import WorkspaceRoot


class TreeCopy:
    """Copies what lies beneath a directory into a staged one; links and specials are left out."""

    def __init__(
        self, root: WorkspaceRoot, source: Parts, limits: CallLimits, meter: QuotaMeter
    ) -> None:
        self._root = root
        self._source = source
        self._limits = limits
        self._meter = meter
        self.size = 0
        self.skipped: list[Entry] = []

    def entries(self) -> Iterator[Entry]:
        """Yield what is to be copied, parents first; note what is left out."""
        for found in walking.scan(
            self._root.descriptor, self._root.base, self._source, None, self._limits
        ):
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
            self._meter.add(item.status.st_size if is_file else 0, 1)

    def fill(self, directory: int, mode: int) -> None:
        """Copy into the directory that the descriptor holds, which gets this mode."""
        os.fchmod(directory, mode)
        for item in self.entries():
            self._limits.check_deadline()
            below = item.parts[len(self._source) :]
            with opened(directory, below[:-1], DIRECTORY) as parent:
                self._copy(item, parent, below[-1])

    def _copy(self, item: Entry, parent: int, leaf: bytes) -> None:
        self._meter.add(entries=1)
        mode = item.status.st_mode & PERMISSIONS
        if stat.S_ISDIR(item.status.st_mode):
            make_directory(parent, leaf, mode | stat.S_IRWXU)
            return
        with opened_file(self._root.descriptor, self._root.base + item.parts, item.path) as (
            descriptor,
            _,
        ):
            stream = MeteredStream(chunks(descriptor, self._limits), self._limits, self._meter)
            write_file(parent, leaf, stream, mode)
            self.size += stream.size
