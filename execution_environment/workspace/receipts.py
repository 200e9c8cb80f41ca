"""Receipts: what a change does to a path, known before it is done."""

from dataclasses import dataclass

from common.tools import Receipt
from execution_environment.sandbox.staging import DIRECTORY_MODE
from execution_environment.workspace.snapshots import Snapshot

FILE_MODE = 0o644
"""Of new files; an existing one keeps its own."""


def receipt_of_file(
    path: str, sha256: str, size: int, mode: int, before: Snapshot | None
) -> Receipt:
    """Return the receipt of a file's new content; `before` is None for a new file."""
    return Receipt(
        path=path,
        operation="create" if before is None else "replace",
        created=before is None,
        sha256_before=None if before is None else before.sha256,
        sha256_after=sha256,
        size=size,
        mode=f"{mode:04o}",
        bytes_written=size,
    )


def receipt_of_directory(path: str) -> Receipt:
    """Return the receipt of a new directory."""
    return Receipt(
        path=path,
        operation="create",
        created=True,
        sha256_before=None,
        sha256_after=None,
        size=None,
        mode=f"{DIRECTORY_MODE:04o}",
        bytes_written=0,
    )


@dataclass(frozen=True)
class Moved:
    """What a move or a copy brings; the size of a tree is known to a copy only."""

    mode: int
    size: int | None
    sha256: str | None
    """Of a file."""
    tree_sha256: str | None = None
    """Of a directory, where it is asked for."""


def receipt_of_removal(path: str, sha256: str | None, tree_sha256: str | None = None) -> Receipt:
    """Return the receipt of what is removed: a file with its hash, a directory with one where asked for."""
    return Receipt(
        path=path,
        operation="delete",
        created=False,
        sha256_before=sha256,
        sha256_after=None,
        size=None,
        mode=None,
        bytes_written=0,
        tree_sha256=tree_sha256,
    )


def receipts_of_move(old: str, new: str, moved: Moved, replaced: Snapshot | None) -> list[Receipt]:
    """Return the receipts of both ends of a move; `replaced` is what was there, if a file was."""
    left = receipt_of_removal(old, moved.sha256, moved.tree_sha256)
    left = left.model_copy(update={"operation": "move"})
    arrived = receipt_of_copy(new, moved, replaced)
    return [left, arrived.model_copy(update={"operation": "move", "bytes_written": 0})]


def receipt_of_copy(path: str, moved: Moved, replaced: Snapshot | None) -> Receipt:
    """Return the receipt of a copy; `replaced` is what was there, if a file was."""
    return Receipt(
        path=path,
        operation="copy",
        created=replaced is None,
        sha256_before=None if replaced is None else replaced.sha256,
        sha256_after=moved.sha256,
        size=moved.size,
        mode=f"{moved.mode:04o}",
        bytes_written=moved.size or 0,
        tree_sha256=moved.tree_sha256,
    )
