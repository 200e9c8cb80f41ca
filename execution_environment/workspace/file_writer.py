"""A workspace as tools write files in it: all is staged until the call commits."""

import hashlib
from collections.abc import Callable, Iterable

from common.errors import ToolError
from common.tools import Receipt
from execution_environment.sandbox.descriptors import Identity
from execution_environment.sandbox.limits import Bounds
from execution_environment.sandbox.paths import Parts, parse, show_path
from execution_environment.sandbox.renames import Changes, Guard, Mover, Place
from execution_environment.searching.searchers import Searchers
from execution_environment.workspace.metered import Passing
from execution_environment.workspace.plan import Plan
from execution_environment.workspace.reader import View
from execution_environment.workspace.receipts import (
    FILE_MODE,
    receipt_of_directory,
    receipt_of_file,
)
from execution_environment.workspace.snapshots import Snapshot
from execution_environment.workspace.streams import Incoming

Make = Callable[[bytes | None, Parts], bytes]
"""Stages something beneath new directories, in a tree that is staged already when one is named."""


class Writer(View):
    """Stages new content; nobody sees it before the call commits."""

    def __init__(
        self, mover: Mover, base: Parts, bounds: Bounds, searchers: Searchers, *, dry_run: bool
    ) -> None:
        super().__init__(mover.root, base, bounds, searchers)
        self._mover = mover
        self._staging = mover.staging
        self._dry_run = dry_run
        self._trees: dict[Place, bytes] = {}
        self._plan = Plan()
        self._received: Incoming | None = None
        self.changes = Changes()

    def put_file(
        self,
        path: str,
        data: bytes,
        before: Snapshot | None,
        *,
        create_parents: bool = True,
        mode: int = FILE_MODE,
    ) -> None:
        """Stage a file's new content; `before` is what it replaces, None for nothing.

        `mode` is a new file's.
        """
        if len(data) > self.bounds.max_write:
            raise ToolError(
                "file_too_large",
                f"'{path}' would be larger than {self.bounds.max_write} bytes",
                path=path,
                limit=self.bounds.max_write,
                actual=len(data),
            )
        if before is not None and before.sha256 == hashlib.sha256(data).hexdigest():
            return
        self.put_stream(path, [data], before, create_parents=create_parents, mode=mode)

    def put_stream(
        self,
        path: str,
        chunks: Iterable[bytes],
        before: Snapshot | None,
        *,
        create_parents: bool = True,
        mode: int = FILE_MODE,
    ) -> None:
        """Stage a file's new content piece by piece, of any size that the quota has room for."""
        parts = self._planned(path)
        mode = mode if before is None else before.mode
        passing = Passing(chunks, self.bounds, 0 if before is None else before.size)
        replaced = None if before is None else before.identity
        with self._paths.errors_of(parts):
            self._put_file(parts, passing, mode, replaced, create_parents=create_parents)
        self.changes.receipts.append(
            receipt_of_file(show_path(parts), passing.sha256, passing.size, mode, before)
        )

    def put_directory(self, path: str) -> None:
        """Stage a new directory, and the missing ones that lead to it."""
        parts = self._planned(path)
        with self._paths.errors_of(parts):
            self._put(parts, None, self._staging.add_directories)
        self.changes.receipts.append(receipt_of_directory(show_path(parts)))

    def _put_file(
        self,
        parts: Parts,
        passing: Passing,
        mode: int,
        replaced: Identity | None,
        *,
        create_parents: bool = True,
    ) -> None:
        self._put(
            parts,
            replaced,
            lambda tree, below: self._staging.add_file(passing, mode, below, tree),
            create_parents=create_parents,
        )
        if self._dry_run:
            passing.drain()

    def _put(
        self, parts: Parts, replaced: Identity | None, make: Make, *, create_parents: bool = True
    ) -> Parts:
        """Stage what `make` makes; return its path within the staging directory."""
        parent, leaf, below = self._find_place(parts, create_parents=create_parents)
        target = Place(leaf=leaf, directory=parent)
        if replaced is None:
            self._count_new(self._paths.full(parts), len(parent))
        tree = self._trees.get(target)
        staged = b"" if self._dry_run else make(tree, below)
        if tree is None and not self._dry_run:
            self._come_from_staging(staged, target, replaced)
        return staged, *below

    def _find_place(
        self, parts: Parts, *, create_parents: bool = True
    ) -> tuple[Parts, bytes, Parts]:
        if not self._dry_run:
            self._mover.make_above(self._paths.base)
        return self._paths.place(parts, create_parents=create_parents)

    def _count_new(self, full: Parts, existing: int) -> None:
        """Count what is new of a path that exists so far; a workspace does not count itself."""
        above = len(self._paths.base)
        new = self._plan.make(full[above:], max(existing - above, 0))
        self.bounds.meter.add(entries=new)

    def _come_from_staging(self, staged: bytes, target: Place, replaced: Identity | None) -> None:
        if replaced is None:
            self._trees[target] = staged
        source = Place(leaf=staged, process=self._staging.process)
        self.changes.rename(source, target, replaces=replaced is not None)
        self.changes.guards.append(Guard(target, replaced))

    def _make_parents(self, parts: Parts) -> bool:
        """Stage the directories that are missing on the way; tell whether there are any."""
        _, _, below = self._find_place(parts)
        if below:
            self._put(parts[:-1], None, self._staging.add_directories)
        return bool(below)

    def _place(self, parts: Parts) -> Place:
        full = self._paths.full(parts)
        return Place(leaf=full[-1], directory=full[:-1])

    def discard(self) -> None:
        """Remove what was staged, but for what has come in, and start anew."""
        for name in self.leftovers():
            if self._received is None or name != self._received.name:
                self._staging.discard(name)
        self.changes, self._plan, self._trees = Changes(), Plan(), {}
        self.bounds.meter.reset()

    def receipts(self) -> list[Receipt]:
        """Return those of the paths that the call names, then of directories made on the way."""
        made = map(show_path, self._plan.made_on_the_way())
        return [*self.changes.receipts, *map(receipt_of_directory, made)]

    @property
    def has_leftovers(self) -> bool:
        """Whether there is something to sweep."""
        return bool(self.leftovers()) or self.bounds.meter.reserved > 0

    def leftovers(self) -> list[bytes]:
        """Return the names of what lies in staging and is not needed any more."""
        names = self.changes.leftovers()
        if self._received is not None and self.changes.fate == "staged":
            names = [*(name for name in names if name != self._received.name), self._received.name]
        return names

    def sweep(self) -> None:
        """Remove what lies in staging and is not needed any more, and give its room to others."""
        if self._received is not None:
            self._received.close()
        for name in self.leftovers():
            self._staging.discard(name)
        self.bounds.meter.release()

    def _planned(self, path: str) -> Parts:
        """Return what a path names, as a place that this call changes, once."""
        parts = self._changeable(path)
        self._plan.add(parts)
        return parts

    def _changeable(self, path: str) -> Parts:
        parts = parse(path)
        if not parts:
            raise ToolError("not_a_file", "the workspace itself cannot be replaced", path=".")
        return parts
