"""What tools move, copy and remove: whole entries, planned until the call commits."""

import errno
import os
import stat
from dataclasses import dataclass

from common.errors import ToolError
from common.files.paths import Parts, show_path
from execution_environment.sandbox.descriptors import PERMISSIONS, chunks, identity
from execution_environment.sandbox.limits import Usage
from execution_environment.sandbox.tree_hash import tree_sha256
from execution_environment.sandbox.walking import measure, read_names
from execution_environment.workspace.metered import MeteredStream
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.receipts import (
    Moved,
    receipt_of_copy,
    receipt_of_removal,
    receipts_of_move,
)
from execution_environment.workspace.root import WorkspaceRoot
from execution_environment.workspace.snapshots import Snapshot
from execution_environment.workspace.staged_change import StagedChange
from execution_environment.workspace.tree_copy import TreeCopy


@dataclass(frozen=True)
class EntryMover:
    """Works on whatever a path names, of a link on the link itself. Paths are as clients write them."""

    root: WorkspaceRoot
    reader: Reader
    change: StagedChange
    hashes_trees: bool = False
    """Whether receipts say what was in a directory: that takes reading all of it."""

    def remove(self, path: str, before: Snapshot | None, *, recursive: bool) -> int:
        """Stage the removal of whatever the path names; return how many entries go.

        `before` is what is known of a file, for the receipt.
        """
        parts = self.change.plan(path)
        status = self.reader.entry(path)
        gone = Usage(status.st_size if stat.S_ISREG(status.st_mode) else 0, 1)
        tree = None
        if stat.S_ISDIR(status.st_mode):
            with self.root.errors_of(parts):
                gone = self._measured(parts, recursive=recursive)
            tree = self._hash_of_tree(parts)
        self.change.take(parts, identity(status), None, None)
        self.change.meter.add(-gone.size, -gone.entries)
        sha256 = None if before is None else before.sha256
        self.change.add_receipts(receipt_of_removal(show_path(parts), sha256, tree))
        return gone.entries

    def move(self, source: str, destination: str, *, overwrite: bool) -> None:
        """Stage the move of a file or a directory, with the directories that lead to its place."""
        old, new = self.root.changeable(source), self.root.changeable(destination)
        status = self.reader.status(source)
        if old == new:
            return
        _require_outside(old, new)
        replaced = self._replaceable(destination, status, overwrite=overwrite)
        moved = self._moved(old, status)
        self.change.plan(source)
        self.change.plan(destination)
        with self.root.errors_of(new):
            self.change.put_parents(new)
        replaced_one = None if replaced is None else replaced.identity
        self.change.take(old, identity(status), new, replaced_one)
        if replaced is not None:
            self.change.meter.add(-replaced.size, -1)
        self.change.add_receipts(*receipts_of_move(show_path(old), show_path(new), moved, replaced))

    def copy(self, source: str, destination: str, *, overwrite: bool) -> list[str]:
        """Stage a copy of a file or a tree; return what is left out of it: links and specials."""
        old, new = self.root.changeable(source), self.change.plan(destination)
        status = self.reader.status(source)
        _require_outside(old, new)
        replaced = self._replaceable(destination, status, overwrite=overwrite)
        mode = status.st_mode & PERMISSIONS
        skipped: list[str] = []
        if stat.S_ISREG(status.st_mode):
            moved = self._copy_file(source, new, mode, replaced)
        else:
            tree = TreeCopy(self.root, old, self.reader.limits, self.change.meter)
            mode |= stat.S_IRWXU  # as beneath it: what we cannot enter we cannot fill
            with self.root.errors_of(old):
                self.change.put_tree(new, tree, mode)
            moved = Moved(mode, tree.size, None, self._hash_of_tree(old))
            skipped = [item.path for item in tree.skipped]
        self.change.add_receipts(receipt_of_copy(show_path(new), moved, replaced))
        return skipped

    def _copy_file(self, source: str, new: Parts, mode: int, replaced: Snapshot | None) -> Moved:
        size, goes = (0, None) if replaced is None else (replaced.size, replaced.identity)
        with self.root.opened_file(source) as (descriptor, _):
            content = chunks(descriptor, self.reader.limits)
            stream = MeteredStream(content, self.reader.limits, self.change.meter, size)
            self.change.put_file(new, stream, mode, goes)
        return Moved(mode, stream.size, stream.sha256)

    def _replaceable(self, path: str, comes: os.stat_result, *, overwrite: bool) -> Snapshot | None:
        """Return the file that is replaced, None for nothing; a directory never is."""
        status = self.reader.find(path)
        if status is None:
            return None
        if not overwrite:
            raise ToolError("already_exists", f"'{path}' exists already", path=path, errno="EEXIST")
        if not (stat.S_ISREG(status.st_mode) and stat.S_ISREG(comes.st_mode)):
            raise ToolError(
                "not_a_file", f"'{path}': only a file can be replaced, by a file", path=path
            )
        return self.reader.find_file(path)

    def _moved(self, parts: Parts, status: os.stat_result) -> Moved:
        mode = status.st_mode & PERMISSIONS
        if not stat.S_ISREG(status.st_mode):
            return Moved(mode, None, None, self._hash_of_tree(parts))
        return Moved(mode, status.st_size, self.reader.snapshot(show_path(parts), 0).sha256)

    def _hash_of_tree(self, parts: Parts) -> str | None:
        if not self.hashes_trees:
            return None
        with self.root.errors_of(parts):
            return tree_sha256(self.root.descriptor, self.root.base, parts, self.reader.limits)

    def _measured(self, parts: Parts, *, recursive: bool) -> Usage:
        """Return what goes with a directory, which has to be empty unless `recursive`."""
        root, base = self.root.descriptor, self.root.base
        if not recursive and read_names(root, base + parts, 1):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        return measure(root, base, parts, self.reader.limits)


def _require_outside(old: Parts, new: Parts) -> None:
    if new[: len(old)] == old:
        raise ToolError(
            "invalid_arguments",
            f"'{show_path(new)}' is '{show_path(old)}', or lies within it",
            path=show_path(new),
        )
