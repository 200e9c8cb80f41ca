"""A call's change while it is made: complete in staging, seen by nobody before it commits."""

from collections.abc import Callable
from functools import partial

from common.files.paths import Parts
from common.tools import Receipt
from execution_environment.sandbox.descriptors import DIRECTORY, Identity, opened
from execution_environment.sandbox.limits import QuotaMeter
from execution_environment.sandbox.renames import Location, Rename, Renamer
from execution_environment.workspace.change_set import ChangeSet, State
from execution_environment.workspace.metered import MeteredStream
from execution_environment.workspace.root import WorkspaceRoot
from execution_environment.workspace.streams import IncomingFile, ReceivedFiles
from execution_environment.workspace.tree_copy import TreeCopy

Make = Callable[[bytes | None, Parts], bytes]
"""Stages something beneath new directories, in a tree that is staged already when one is named."""


class StagedChange:
    """The one mutable object of a call: what it has staged, and what is planned for it.

    Tools add to it by way of FileWriter and EntryMover; the committer checks it and carries it out.
    A dry run counts and plans all the same, and stages nothing.
    """

    def __init__(
        self,
        root: WorkspaceRoot,
        renamer: Renamer,
        meter: QuotaMeter,
        *,
        dry_run: bool,
        is_bulk: bool = False,
    ) -> None:
        """`is_bulk`: of so many files that they are not made durable one by one, but all at once."""
        self.meter = meter
        self.is_bulk = is_bulk
        self._root = root
        self._renamer = renamer
        self._staging = renamer.staging
        self._dry_run = dry_run
        self._change_set = ChangeSet()
        self._received = ReceivedFiles(self._staging, meter, durable=not is_bulk)

    def plan(self, path: str) -> Parts:
        """Return what a path names, as a place that this call changes, once."""
        parts = self._root.changeable(path)
        self._change_set.planned.add(parts)
        return parts

    def put_file(
        self,
        parts: Parts,
        content: MeteredStream,
        mode: int,
        replaced: Identity | None,
        *,
        create_parents: bool = True,
    ) -> None:
        """Stage a file that is to be at a planned path, in place of what `replaced` identifies."""
        add = partial(self._staging.add_file, content, mode)
        self._put(parts, replaced, add, create_parents=create_parents)
        if self._dry_run:
            content.drain()

    def put_directories(self, parts: Parts) -> Parts:
        """Stage a directory and the missing ones that lead to it; return its path in staging."""
        add = partial(self._staging.add_directories, durable=not self.is_bulk)
        return self._put(parts, None, add)

    def put_tree(self, parts: Parts, tree: TreeCopy, mode: int) -> None:
        """Stage a copy of a directory with all that is in it."""
        staged = self.put_directories(parts)
        if self._dry_run:
            tree.count()
        else:
            with opened(self._staging.descriptor, staged, DIRECTORY) as directory:
                tree.fill(directory, mode)

    def receive(self) -> IncomingFile:
        """Begin to take in a file, one of any number; it stays in staging until `cleanup`."""
        return self._received.begin()

    def put_received(
        self, parts: Parts, incoming: IncomingFile, mode: int, replaced: Identity | None
    ) -> None:
        """Stage the place of a file that has come in; its size the caller adds to the meter."""
        incoming.set_mode(mode)
        if replaced is None:
            self.put_parents(parts)
            self.meter.add(entries=self._change_set.planned.make(parts, len(parts) - 1))
        self._change_set.planned.name(parts)
        target = self._root.location(parts)
        self._change_set.bring(self._in_staging(incoming.name), target, replaced)

    def put_parents(self, parts: Parts) -> None:
        """Stage the directories that are missing on the way to a path."""
        directory, ready = parts[:-1], self._change_set.ready
        if directory not in ready:
            if self._root.locate(parts, gone=self._change_set.taken)[2]:
                self.put_directories(directory)
            ready.add(directory)

    def take(
        self, parts: Parts, goes: Identity, to: Parts | None, replaced: Identity | None
    ) -> None:
        """Plan to rename what is at a path to another one, or out of the workspace.

        Both ends have to be as they are now: `goes` is at the path, `replaced` at the other.
        """
        source, target = self._root.location(parts), None
        with self._root.errors_of(parts):
            mark = self._renamer.mark(source)
        self._change_set.require(source, goes)
        self._change_set.taken.add(source)
        if to is not None:
            self._change_set.require(self._root.location(to), replaced)
            if replaced != goes:  # two names of one file: rename(2) would leave both
                target = self._root.location(to)
        replaces = target is not None and replaced is not None
        target = target or self._in_staging(self._staging.new_name())
        self._change_set.renames.append(
            Rename(source=source, target=target, mark=mark, replaces=replaces)
        )

    def add_receipts(self, *receipts: Receipt) -> None:
        """Add what the change does to the paths that the call names."""
        self._change_set.receipts += receipts

    def _put(
        self, parts: Parts, replaced: Identity | None, make: Make, *, create_parents: bool = True
    ) -> Parts:
        """Stage what `make` makes; return its path within the staging directory."""
        if not self._dry_run:
            self._renamer.make_above(self._root.base)
        gone = self._change_set.taken
        parent, leaf, below = self._root.locate(parts, create_parents=create_parents, gone=gone)
        target = Location(leaf=leaf, directory=parent)
        if replaced is None:
            existing = len(parent) - len(self._root.base)
            self.meter.add(entries=self._change_set.planned.make(parts, existing))
        tree = self._change_set.trees.get(target)
        staged = b"" if self._dry_run else make(tree, below)
        if tree is None and not self._dry_run:
            if replaced is None:
                self._change_set.trees[target] = staged
            self._change_set.bring(self._in_staging(staged), target, replaced)
        return staged, *below

    def _in_staging(self, name: bytes) -> Location:
        return Location(leaf=name, process=self._staging.process)

    @property
    def renames(self) -> list[Rename]:
        """The steps that put it in place, in order."""
        return self._change_set.renames

    def receipts(self) -> list[Receipt]:
        """Return those of the paths that the call names, then of directories made on the way."""
        return [*self._change_set.receipts, *self._change_set.planned.receipts()]

    def is_fresh(self) -> bool:
        """Tell whether all that it was made from is as it was; else it is to be made again."""
        return all(item.holds(self._renamer) for item in self._change_set.preconditions)

    def mark(self, state: State) -> None:
        """Note how far it has come."""
        self._change_set.state = state

    def discard(self) -> None:
        """Remove what was staged, but for files that have come in, and start anew."""
        for name in self._change_set.leftovers():
            if name not in self._received:
                self._staging.discard(name)
        self._change_set = ChangeSet()
        self.meter.reset()

    @property
    def needs_cleanup(self) -> bool:
        """Whether something is staged, or reserved, that nobody needs any more."""
        return bool(self._leftovers()) or self.meter.reserved > 0

    def cleanup(self) -> None:
        """Remove what nobody needs any more, and give its room to others; once.

        No thread may work on the change any more: the coordinator sees to that.
        """
        leftovers = self._leftovers()
        self._received.close()
        for name in leftovers:
            self._staging.discard(name)
        self._change_set = ChangeSet()
        self.meter.release()

    def _leftovers(self) -> list[bytes]:
        return [*self._change_set.leftovers(), *self._received.unplaced(self.renames)]
