"""Receipts: what a change does to a path, known before it is done."""

import hashlib

from common.tools import Receipt
from execution_environment.sandbox.reading import Snapshot
from execution_environment.sandbox.staging import DIRECTORY_MODE

FILE_MODE = 0o644
"""Of new files; an existing one keeps its own."""


def receipt_of_file(path: str, data: bytes, before: Snapshot | None) -> Receipt:
    """Return the receipt of a file's new content; `before` is None for a new file."""
    return Receipt(
        path=path,
        operation="create" if before is None else "replace",
        created=before is None,
        sha256_before=None if before is None else before.sha256,
        sha256_after=hashlib.sha256(data).hexdigest(),
        size=len(data),
        mode=f"{FILE_MODE if before is None else before.mode:04o}",
        bytes_written=len(data),
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
