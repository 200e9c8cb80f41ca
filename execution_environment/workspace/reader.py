"""What tools read of a workspace: every path goes to the disk by way of one descriptor."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from common.errors import ToolError
from common.files.paths import parse, show_path
from execution_environment.sandbox.descriptors import (
    ANY,
    READ,
    chunks,
    open_beneath,
    opened,
    require_file,
    status_at,
)
from execution_environment.sandbox.limits import CallLimits
from execution_environment.sandbox.ordered import OrderedWalk
from execution_environment.sandbox.walking import Entry
from execution_environment.searching.searchers import Searchers
from execution_environment.workspace import snapshots
from execution_environment.workspace.root import WorkspaceRoot
from execution_environment.workspace.search import Hit, Query, Search
from execution_environment.workspace.slices import Bytes, Lines, Slice, read_slice, read_window
from execution_environment.workspace.snapshots import Snapshot
from execution_environment.workspace.streams import OutgoingFile

T = TypeVar("T")
MAX_COMPARED = 1024 * 1024
"""Bytes of a file that is replaced which are kept to show the difference."""


@dataclass(frozen=True)
class Reader:
    """Has no way to change anything: a tool that is handed this alone only reads.

    Paths are as clients write them.
    """

    root: WorkspaceRoot
    limits: CallLimits
    searchers: Searchers

    def read(self, path: str, wanted: Lines | Bytes, *, as_text: bool, is_hashed: bool) -> Slice:
        """Return a window of a regular file; unless it is hashed, no more of it is read."""
        with self.root.opened_file(path) as (descriptor, status):
            if not is_hashed:
                return read_window(descriptor, status.st_size, wanted, self.limits, as_text=as_text)
            pieces = chunks(descriptor, self.limits)
            return read_slice(pieces, wanted, as_text=as_text)

    def snapshot(self, path: str, max_data: int) -> Snapshot:
        """Return a file's state, with its data when that is at most `max_data` bytes."""
        with self.root.opened_file(path) as (descriptor, status):
            return snapshots.take_snapshot(descriptor, status, self.limits, max_data)

    def status(self, path: str) -> os.stat_result:
        """Return the status of a regular file or a directory; anything else is refused."""
        parts = parse(path)
        with (
            self.root.errors_of(parts),
            opened(self.root.descriptor, self.root.base + parts, ANY) as descriptor,
        ):
            status = os.fstat(descriptor)
        if not stat.S_ISDIR(status.st_mode):
            require_file(status, path)
        return status

    def entry(self, path: str) -> os.stat_result:
        """Return the status of what lies at a path, of a link itself."""
        parts = self.root.changeable(path)
        *directory, leaf = self.root.base + parts
        with (
            self.root.errors_of(parts),
            opened(self.root.descriptor, tuple(directory), ANY | os.O_DIRECTORY) as parent,
        ):
            status = status_at(parent, leaf)
            if status is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return status

    def find(self, path: str) -> os.stat_result | None:
        """Return the status of what the path names, or None when there is nothing."""
        return self._or_none(self.status, path)

    def find_file(self, path: str) -> Snapshot | None:
        """Return a file's state, small enough data included, or None when there is no such file."""
        return self._or_none(self.snapshot, path, MAX_COMPARED)

    def _or_none(self, look: Callable[..., T], *arguments: object) -> T | None:
        guesses, self.root.guesses = self.root.guesses, 0  # nobody would see them
        try:
            return look(*arguments)
        except ToolError as error:
            if error.code != "path_not_found":
                raise
            return None
        finally:
            self.root.guesses = guesses

    def walk(self, path: str, depth: int | None, after: bytes = b"") -> Iterator[Entry]:
        """Yield what lies beneath a directory, by path bytes and beyond a path.

        A workspace that is not made yet is empty.
        """
        parts = parse(path)
        walk = OrderedWalk(self.root.descriptor, self.root.base, parts, depth, self.limits)
        try:
            with self.root.errors_of(parts):
                yield from walk.after(after)
        except ToolError as error:
            if parts or error.code != "path_not_found":
                raise

    def files_beneath(self, path: str) -> tuple[str, Iterator[Entry]]:
        """Return the regular files in a directory, or the one file that the path names.

        The first value is the directory that their paths are relative to.
        """
        parts = parse(path)
        status = self.find(path)
        if status is not None and stat.S_ISREG(status.st_mode):
            return show_path(parts[:-1]), iter([Entry(parts, status)])
        entries = self.walk(path, None)
        return show_path(parts), (item for item in entries if stat.S_ISREG(item.status.st_mode))

    def search(self, query: Query, files: Iterable[Entry]) -> Iterator[Hit]:
        """Yield what is found in each of these files."""
        return Search(self.root, self.limits, self.searchers).run(query, files)

    def open_file(self, path: str) -> OutgoingFile:
        """Open a regular file, to be sent piece by piece; the caller closes it."""
        parts = parse(path)
        with self.root.errors_of(parts):
            descriptor = open_beneath(self.root.descriptor, self.root.base + parts, READ)
        status = os.fstat(descriptor)
        outgoing = OutgoingFile(descriptor, status, self.limits)
        try:
            require_file(status, path)
        except BaseException:
            outgoing.close()
            raise
        return outgoing
