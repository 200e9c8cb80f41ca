"""Hands the files of a workspace, opened here and nowhere else, to the processes that search."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from common.errors import ToolError
from execution_environment.sandbox.descriptors import READ, opened
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


Hit = tuple[Entry, Occurrences | None]
"""A file, and what was found in it: None for one that is binary, too large, or gone meanwhile."""


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

    def run(self, query: Query, files: Sequence[Entry]) -> Iterator[Hit]:
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
        for lot in _lots(files):
            for entry, found in self._search(lot, request):
                yield entry, found
                if found is not None:
                    request = less(request, found)

    def _search(self, lot: list[Entry], request: Request) -> list[Hit]:
        with ExitStack() as open_files:
            opened_files = [(entry, self._open(entry, open_files)) for entry in lot]
            descriptors = [number for _, number in opened_files if number is not None]
            found = iter(
                self._searchers.search(
                    self._user, request, descriptors, self._limits.check_deadline
                )
            )
        return [(entry, None if number is None else next(found)) for entry, number in opened_files]

    def _open(self, entry: Entry, open_files: ExitStack) -> int | None:
        """Return a file's descriptor, or None for what is not a file that can be searched now."""
        if entry.status.st_size > self._limits.max_read:
            return None
        with suppress(ToolError), translated(entry.path):
            descriptor = open_files.enter_context(
                opened(self._root.descriptor, self._root.base + entry.parts, READ)
            )
            return descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
        return None


def _lots(files: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Yield the files in lots of bounded length, together and each; at least one lot."""
    lot, size = list[Entry](), 0
    for entry in files:
        size += entry.status.st_size
        if lot and (len(lot) == MAX_FILES or size > MAX_LOT):
            yield lot
            lot, size = [], entry.status.st_size
        lot.append(entry)
    yield lot
