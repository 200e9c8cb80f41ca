"""A workspace as tools write files in it: all is staged until the call commits."""

import hashlib
from collections.abc import Callable, Iterable

from common.errors import ToolError
from execution_environment.sandbox.bounds import Bounds
from execution_environment.sandbox.changes import Changes, Guard, Mover, Place, Rename
from execution_environment.sandbox.descriptors import Identity
from execution_environment.sandbox.names import Parts, parse, show_path
from execution_environment.sandbox.passing import Passing
from execution_environment.sandbox.reading import Snapshot
from execution_environment.sandbox.receipts import (
    FILE_MODE,
    receipt_of_directory,
    receipt_of_file,
)
from execution_environment.sandbox.streams import Incoming
from execution_environment.sandbox.view import View

Make = Callable[[bytes | None, Parts], bytes]
"""Stages something beneath new directories, in a tree that is staged already when one is named."""


class Writer(View):
    """Stages new content; nobody sees it before the call commits."""

    def __init__(self, mover: Mover, base: Parts, bounds: Bounds, *, dry_run: bool) -> None:
        super().__init__(mover.root, base, bounds)
        self._mover = mover
        self._staging = mover.staging
        self._dry_run = dry_run
        self._trees: dict[Place, bytes] = {}
        self._made: set[Parts] = set()
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
        parts = self._changeable(path)
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
        parts = self._changeable(path)
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
        parent, leaf, below = self._paths.place(parts, create_parents=create_parents)
        target = Place(leaf=leaf, directory=parent)
        if replaced is None:
            self._count_new(self._paths.full(parts), len(parent))
        tree = self._trees.get(target)
        staged = b"" if self._dry_run else make(tree, below)
        if tree is None and not self._dry_run:
            self._come_from_staging(staged, target, replaced)
        return staged, *below

    def _count_new(self, full: Parts, existing: int) -> None:
        new = {full[:depth] for depth in range(existing + 1, len(full) + 1)} - self._made
        self._made |= new
        self.bounds.meter.add(entries=len(new))

    def _come_from_staging(self, staged: bytes, target: Place, replaced: Identity | None) -> None:
        if replaced is None:
            self._trees[target] = staged
        source = Place(leaf=staged, process=self._staging.process)
        self._rename(source, target, self._staging.inode(staged), replaces=replaced is not None)
        self.changes.guards.append(Guard(target, replaced))

    def _rename(self, source: Place, target: Place, inode: int, *, replaces: bool = False) -> None:
        self.changes.renames.append(
            Rename(source=source, target=target, inode=inode, replaces=replaces)
        )

    def _make_parents(self, parts: Parts) -> bool:
        """Stage the directories that are missing on the way; tell whether there are any."""
        _, _, below = self._paths.place(parts, create_parents=True)
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
        self.changes, self._trees, self._made = Changes(), {}, set()
        self.bounds.meter.reset()

    def leftovers(self) -> list[bytes]:
        """Return the names of what lies in staging and is not needed any more."""
        names = self.changes.leftovers()
        if self._received is not None and self.changes.fate == "staged":
            names = [*(name for name in names if name != self._received.name), self._received.name]
        return names

    def sweep(self) -> None:
        """Remove what lies in staging and is not needed any more."""
        if self._received is not None:
            self._received.close()
        for name in self.leftovers():
            self._staging.discard(name)

    def _changeable(self, path: str) -> Parts:
        parts = parse(path)
        if not parts:
            raise ToolError("not_a_file", "the workspace itself cannot be replaced", path=".")
        return parts
