"""A workspace as tools see it: reads go to the disk, changes are staged until the call commits."""

import errno
import os
import stat
from itertools import chain

from common.errors import ToolError
from execution_environment.sandbox.descriptors import (
    ANY,
    DIRECTORY,
    PERMISSIONS,
    identity,
    opened,
    opened_file,
    status_at,
)
from execution_environment.sandbox.paths import Parts, parse, show_path
from execution_environment.sandbox.renames import Guard, Place
from execution_environment.sandbox.walking import read_names
from execution_environment.workspace.metered import Passing
from execution_environment.workspace.receipts import (
    Moved,
    receipt_of_copy,
    receipt_of_removal,
    receipts_of_move,
)
from execution_environment.workspace.snapshots import Snapshot, chunks
from execution_environment.workspace.staged_change import Transfers
from execution_environment.workspace.tree_copy import Measure, TreeCopy, measure


class Workspace(Transfers):
    """One call's view of its workspace. Paths are as clients write them."""

    def entry(self, path: str) -> os.stat_result:
        """Return the status of what lies at a path, of a link itself."""
        parts = self._changeable(path)
        *directory, leaf = self._paths.full(parts)
        with (
            self._paths.errors_of(parts),
            opened(self._paths.root, tuple(directory), ANY | os.O_DIRECTORY) as parent,
        ):
            status = status_at(parent, leaf)
            if status is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return status

    def remove(self, path: str, before: Snapshot | None, *, recursive: bool) -> int:
        """Stage the removal of whatever the path names, of a link itself; return how many go.

        `before` is what is known of a file, for the receipt.
        """
        parts = self._planned(path)
        status = self.entry(path)
        gone = Measure(1, status.st_size if stat.S_ISREG(status.st_mode) else 0)
        if stat.S_ISDIR(status.st_mode):
            if not recursive:
                self._require_empty(parts)
            with self._paths.errors_of(parts):
                gone = measure(self._paths.root, self._paths.base, parts, self.bounds)
        self._take(parts, self._trash(), status)
        self.bounds.meter.add(-gone.size, -gone.entries)
        sha256 = None if before is None else before.sha256
        self.changes.receipts.append(receipt_of_removal(show_path(parts), sha256))
        return gone.entries

    def move(self, source: str, destination: str, *, overwrite: bool) -> None:
        """Stage the move of a file or a directory, with the directories that lead to its place."""
        old, new = self._changeable(source), self._changeable(destination)
        status = self.status(source)
        if old == new:
            return
        _require_outside(old, new)
        replaced = self._replaceable(destination, status, overwrite=overwrite)
        moved = self._moved(source, status)
        self._plan.add(old)
        self._plan.add(new)
        with self._paths.errors_of(new):
            self._make_parents(new)
        self._take(old, self._place(new), status, replaced)
        if replaced is not None:
            self.bounds.meter.add(-replaced.size, -1)
        self.changes.receipts += receipts_of_move(show_path(old), show_path(new), moved, replaced)

    def append(self, path: str, data: bytes, before: Snapshot) -> None:
        """Stage a file's content with more at its end; `before` is the file as it was read."""
        parts = self._changeable(path)
        with (
            self._paths.errors_of(parts),
            opened_file(self._paths.root, self._paths.full(parts), path) as (descriptor, _),
        ):
            self.put_stream(path, chain(chunks(descriptor, self.bounds), [data]), before)

    def copy(self, source: str, destination: str, *, overwrite: bool) -> list[str]:
        """Stage a copy of a file or a tree; return what is left out of it: links and specials."""
        old, new = self._changeable(source), self._planned(destination)
        status = self.status(source)
        _require_outside(old, new)
        replaced = self._replaceable(destination, status, overwrite=overwrite)
        mode = status.st_mode & PERMISSIONS
        if stat.S_ISREG(status.st_mode):
            moved, skipped = self._copy_file(source, new, mode, replaced), []
        else:
            mode |= stat.S_IRWXU  # as beneath it: what we cannot enter we cannot fill
            tree = self._copy_tree(old, new, mode)
            moved, skipped = Moved(mode, tree.size, None), [item.path for item in tree.skipped]
        self.changes.receipts.append(receipt_of_copy(show_path(new), moved, replaced))
        return skipped

    def _copy_file(self, source: str, new: Parts, mode: int, replaced: Snapshot | None) -> Moved:
        old = parse(source)
        with (
            self._paths.errors_of(old),
            opened_file(self._paths.root, self._paths.full(old), source) as (descriptor, _),
        ):
            freed = 0 if replaced is None else replaced.size
            passing = Passing(chunks(descriptor, self.bounds), self.bounds, freed)
            self._put_file(new, passing, mode, None if replaced is None else replaced.identity)
        return Moved(mode, passing.size, passing.sha256)

    def _copy_tree(self, old: Parts, new: Parts, mode: int) -> TreeCopy:
        tree = TreeCopy(self._paths.root, self._paths.base, old, self.bounds)
        with self._paths.errors_of(old):
            staged = self._put(new, None, self._staging.add_directories)
            if self._dry_run:
                tree.count()
            else:
                with opened(self._staging.descriptor, staged, DIRECTORY) as directory:
                    os.fchmod(directory, mode)
                    tree.fill(directory)
        return tree

    def _replaceable(self, path: str, comes: os.stat_result, *, overwrite: bool) -> Snapshot | None:
        """Return the file that is replaced, None for nothing; a directory never is."""
        status = self.find(path)
        if status is None:
            return None
        if not overwrite:
            raise ToolError("already_exists", f"'{path}' exists already", path=path, errno="EEXIST")
        if not (stat.S_ISREG(status.st_mode) and stat.S_ISREG(comes.st_mode)):
            raise ToolError(
                "not_a_file", f"'{path}': only a file can be replaced, by a file", path=path
            )
        return self.find_file(path)

    def _moved(self, path: str, status: os.stat_result) -> Moved:
        mode = status.st_mode & PERMISSIONS
        if not stat.S_ISREG(status.st_mode):
            return Moved(mode, None, None)
        return Moved(mode, status.st_size, self.snapshot(path, 0).sha256)

    def _trash(self) -> Place:
        return Place(leaf=self._staging.new_name(), process=self._staging.process)

    def _take(
        self, parts: Parts, target: Place, status: os.stat_result, replaced: Snapshot | None = None
    ) -> None:
        """Plan to rename what is there to another place, which is to be as it is now."""
        source = self._place(parts)
        with self._paths.errors_of(parts):
            mark = self._mover.mark(source)
        self.changes.guards.append(Guard(source, identity(status)))
        if target.process is None and not self._is_within_made(target):
            self.changes.guards.append(
                Guard(target, None if replaced is None else replaced.identity)
            )
        if replaced is not None and replaced.identity == identity(status):
            target, replaced = self._trash(), None  # two names of one file: rename(2) leaves both
        self.changes.rename(source, target, mark, replaces=replaced is not None)

    def _is_within_made(self, place: Place) -> bool:
        """Tell whether a place is in a directory that this call makes: it is not there yet."""
        path = place.directory
        above = (Place(leaf=path[at], directory=path[:at]) for at in range(len(path)))
        return any(directory in self._trees for directory in above)

    def _require_empty(self, parts: Parts) -> None:
        with self._paths.errors_of(parts):
            if read_names(self._paths.root, self._paths.full(parts), 1):
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))


def _require_outside(old: Parts, new: Parts) -> None:
    if new[: len(old)] == old:
        raise ToolError(
            "invalid_arguments",
            f"'{show_path(new)}' is '{show_path(old)}', or lies within it",
            path=show_path(new),
        )
