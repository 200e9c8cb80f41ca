"""Hands the files of a workspace, opened here and nowhere else, to the processes that search."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from common.errors import ToolError
from execution_environment.sandbox.descriptors import READ, open_beneath
from execution_environment.sandbox.limits import CallLimits
from execution_environment.sandbox.os_errors import translated
from execution_environment.sandbox.walking import Entry
from execution_environment.searching.matching import Occurrences
from execution_environment.searching.searchers import Searchers
from execution_environment.searching.worker import MAX_FILES, Request, less
from execution_environment.workspace.root import WorkspaceRoot

MAX_LOT = 8 * 1024 * 1024
"""Bytes that are searched at once: a larger file makes a lot of its own."""
MAX_SHOWN = 1024 * 1024
"""Characters of text that one call returns."""
QUICK = 0.05
"""Seconds for finding and opening a lot: where it takes longer, nobody's place is held meanwhile."""


Hit = tuple[Entry, Occurrences | None]
"""A file, and what was found in it: None for one that is binary, too large, or gone meanwhile."""
OpenFile = tuple[Entry, int | None]
"""A file with its descriptor, if it could be opened."""


@dataclass(frozen=True)
class Query:
    """What to look for; `context` counts lines, `limit` the occurrences that are returned."""

    pattern: str
    literal: bool
    ignore_case: bool
    context: int
    limit: int


class Search:
    """One search through many files, lot by lot, so that those of others come in between."""

    def __init__(self, root: WorkspaceRoot, limits: CallLimits, searchers: Searchers) -> None:
        self._root = root
        self._limits = limits
        self._searchers = searchers
        self._user = root.base[0].decode()

    def run(self, query: Query, files: Iterable[Entry]) -> Iterator[Hit]:
        """Yield what was found in each file.

        Without any file the pattern is looked at all the same.
        """
        request = Request(
            pattern=query.pattern,
            literal=query.literal,
            ignore_case=query.ignore_case,
            context=query.context,
            limit=query.limit,
            max_shown=MAX_SHOWN,
            max_read=self._limits.max_read,
        )
        with _Opening(self._open, _lots(files)) as opening:
            while (lot := opening.taken()) is not None:
                for entry, found in self._searched(lot, request, opening.go_on_if_quick):
                    yield entry, found
                    if found is not None:
                        request = less(request, found)

    def _searched(
        self, lot: list[OpenFile], request: Request, meanwhile: Callable[[], None]
    ) -> list[Hit]:
        descriptors = [number for _, number in lot if number is not None]
        check = self._limits.check_deadline
        found = iter(self._searchers.search(self._user, request, descriptors, check, meanwhile))
        return [(entry, None if number is None else next(found)) for entry, number in lot]

    def _open(self, entry: Entry) -> int | None:
        """Return a file's descriptor, or None for what is not a file that can be searched now."""
        if entry.status.st_size > self._limits.max_read:
            return None
        try:
            descriptor = open_beneath(self._root.descriptor, self._root.base + entry.parts, READ)
        except OSError:
            with suppress(ToolError), translated(entry.path):
                raise
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        return None


class _Opening:
    """Opens lot after lot: the next one while one is searched, and no more than these two."""

    def __init__(
        self, open_file: Callable[[Entry], int | None], lots: Iterator[list[Entry]]
    ) -> None:
        self._open_file = open_file
        self._lots = lots
        self._now: list[OpenFile] = []
        self._next: list[OpenFile] | None = None
        self._failure: Exception | None = None
        self._took = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._now)
        _close(self._next or ())

    def taken(self) -> list[OpenFile] | None:
        """Return the next lot, None after the last one; the one before is closed.

        Raises what kept it from being opened.
        """
        if self._next is None:
            self.go_on()
        if self._failure is not None:
            raise self._failure
        _close(self._now)
        taken, self._next = self._next, None
        self._now = taken or []
        return taken

    def go_on_if_quick(self) -> None:
        """Open the next lot while one is searched, unless the last one was long in coming.

        Where a glob lets few files through, the search is over long before the walk has found more.
        """
        if self._took < QUICK:
            self.go_on()

    def go_on(self) -> None:
        """Open the next lot, if there is one; what goes wrong is no fault of who searches meanwhile."""
        began = time.monotonic()
        try:
            lot = next(self._lots, None)
            if lot is not None:
                self._next = []
                for entry in lot:
                    self._next.append((entry, self._open_file(entry)))
        except Exception as failure:  # noqa: BLE001  # raised when the lot is taken
            self._failure = failure
        self._took = time.monotonic() - began


def _close(files: Iterable[OpenFile]) -> None:
    for _, descriptor in files:
        if descriptor is not None:
            os.close(descriptor)


def _lots(files: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield the files in lots of bounded length, together and each; at least one lot."""
    lot, size = list[Entry](), 0
    for entry in files:
        size += entry.status.st_size
        if lot and (len(lot) == MAX_FILES or size > MAX_LOT):
            yield lot
            lot, size = [], entry.status.st_size
        lot.append(entry)
    yield lot
