"""A workspace as tools see it: reads go to the disk, changes are staged until the call commits."""

import os
import stat
from collections.abc import Callable
from typing import TypeVar

from common.errors import ToolError
from common.tools import Receipt
from execution_environment.sandbox import changes, reading, walking
from execution_environment.sandbox.bounds import Bounds
from execution_environment.sandbox.changes import Change
from execution_environment.sandbox.descriptors import (
    ANY,
    opened,
    opened_file,
    require_file,
)
from execution_environment.sandbox.faults import translated
from execution_environment.sandbox.names import Parts, parse, show_path
from execution_environment.sandbox.paths import Paths
from execution_environment.sandbox.reading import Bytes, Lines, Slice, Snapshot
from execution_environment.sandbox.receipts import (
    FILE_MODE,
    receipt_of_directory,
    receipt_of_file,
)
from execution_environment.sandbox.staging import Staging
from execution_environment.sandbox.walking import Entry

T = TypeVar("T")
MAX_COMPARED = 1024 * 1024
"""Bytes of a file that is replaced which are kept to show the difference."""


class Workspace:
    """One call's view of its workspace. Paths are as clients write them."""

    def __init__(
        self, root: int, base: Parts, staging: Staging, bounds: Bounds, *, dry_run: bool
    ) -> None:
        self._paths = Paths(root, base)
        self._staging = staging
        self._dry_run = dry_run
        self.bounds = bounds
        self.receipts: list[Receipt] = []
        self.changes: list[Change] = []

    # Reading

    def read(self, path: str, wanted: Lines | Bytes, *, as_text: bool) -> Slice:
        """Return a window of a regular file."""
        parts = parse(path)
        with (
            self._paths.errors_of(parts),
            opened_file(self._paths.root, self._paths.full(parts), path) as (descriptor, _),
        ):
            pieces = reading.chunks(descriptor, self.bounds)
            return reading.read_slice(pieces, wanted, as_text=as_text)

    def snapshot(self, path: str, max_data: int) -> Snapshot:
        """Return a file's state, with its data when that is at most `max_data` bytes."""
        parts = parse(path)
        with (
            self._paths.errors_of(parts),
            opened_file(self._paths.root, self._paths.full(parts), path) as (descriptor, status),
        ):
            return reading.take_snapshot(descriptor, status, self.bounds, max_data)

    def status(self, path: str) -> os.stat_result:
        """Return the status of a regular file or a directory; anything else is refused."""
        parts = parse(path)
        with (
            self._paths.errors_of(parts),
            opened(self._paths.root, self._paths.full(parts), ANY) as descriptor,
        ):
            status = os.fstat(descriptor)
        if not stat.S_ISDIR(status.st_mode):
            require_file(status, path)
        return status

    def walk(self, path: str, depth: int | None) -> list[Entry]:
        """Return what lies beneath a directory, by path bytes; a workspace not made yet is empty."""
        parts = parse(path)
        try:
            with self._paths.errors_of(parts):
                return walking.walk(self._paths.root, self._paths.base, parts, depth, self.bounds)
        except ToolError as error:
            if parts or error.code != "path_not_found":
                raise
            return []

    def find(self, path: str) -> os.stat_result | None:
        """Return the status of what the path names, or None when there is nothing."""
        return _or_none(lambda: self.status(path))

    def find_file(self, path: str) -> Snapshot | None:
        """Return a file's state, small enough data included, or None when there is no such file."""
        return _or_none(lambda: self.snapshot(path, MAX_COMPARED))

    def files_beneath(self, path: str) -> tuple[str, list[Entry]]:
        """Return the regular files in a directory, or the one file that the path names.

        The first value is the directory that their paths are relative to.
        """
        parts = parse(path)
        status = self.find(path)
        if status is not None and stat.S_ISREG(status.st_mode):
            return show_path(parts[:-1]), [Entry(parts, status)]
        entries = self.walk(path, None)
        return show_path(parts), [item for item in entries if stat.S_ISREG(item.status.st_mode)]

    # Changing

    def put_file(
        self, path: str, data: bytes, before: Snapshot | None, *, create_parents: bool = True
    ) -> None:
        """Stage a file's new content; `before` is what it replaces, None for nothing."""
        parts = self._changeable(path)
        if len(data) > self.bounds.max_write:
            raise ToolError(
                "file_too_large",
                f"'{path}' would be larger than {self.bounds.max_write} bytes",
                path=path,
                limit=self.bounds.max_write,
                actual=len(data),
            )
        receipt = receipt_of_file(show_path(parts), data, before)
        if before is not None and before.sha256 == receipt.sha256_after:
            return
        with self._paths.errors_of(parts):
            parent, leaf, below = self._paths.place(parts, create_parents=create_parents)
            if not self._dry_run:
                mode = FILE_MODE if before is None else before.mode
                staged = self._staging.add_file([data], mode, below)
                replaces = None if before is None else before.identity
                self.changes.append(Change(staged, parent, leaf, replaces, receipt))
        self.receipts.append(receipt)

    def put_directory(self, path: str) -> None:
        """Stage a new directory, and the missing ones that lead to it."""
        parts = self._changeable(path)
        receipt = receipt_of_directory(show_path(parts))
        with self._paths.errors_of(parts):
            parent, leaf, below = self._paths.place(parts, create_parents=True)
            if not self._dry_run:
                staged = self._staging.add_directories(below)
                self.changes.append(Change(staged, parent, leaf, None, receipt))
        self.receipts.append(receipt)

    def check(self) -> None:
        """Raise Stale unless everything is still as the staged changes found it."""
        for change in self.changes:
            changes.check(self._paths.root, change)

    def commit(self) -> None:
        """Put the staged changes in place. The workspace's lock is held by the caller."""
        while self.changes:
            change = self.changes[0]
            with translated(change.receipt.path):
                changes.apply(self._paths.root, self._staging, change)
            self.changes.pop(0)

    def discard(self) -> None:
        """Remove what was staged and not committed."""
        while self.changes:
            self._staging.discard(self.changes.pop().staged)
        self.receipts.clear()

    def _changeable(self, path: str) -> Parts:
        parts = parse(path)
        if not parts:
            raise ToolError("not_a_file", "the workspace itself cannot be replaced", path=".")
        return parts


def _or_none(look: Callable[[], T]) -> T | None:
    try:
        return look()
    except ToolError as error:
        if error.code != "path_not_found":
            raise
        return None
