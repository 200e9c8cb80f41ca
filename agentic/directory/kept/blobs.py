"""Texts as they were last synced, by hash: what a merge of two changed sides starts from."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MAX_SIZE = 1024 * 1024
"""Bytes of a text that is kept."""
MAX_TOTAL = 256 * 1024 * 1024
"""Bytes of all of them; the least recently used go first."""


class Blobs:
    """Contents by SHA-256 in a directory of their own. A cache: what cannot be kept is not."""

    def __init__(self, directory: Path, max_total: int = MAX_TOTAL) -> None:
        self._directory = directory
        self._max_total = max_total

    def keep(self, sha256: str, content: bytes) -> None:
        """Keep a text of MAX_SIZE at most; what is larger, or binary, is passed over."""
        if len(content) > MAX_SIZE or b"\0" in content:
            return
        path = self._directory / sha256
        staged = path.with_suffix(".tmp")
        with suppress(OSError):  # a full disk costs a merge, not the command
            if path.exists():
                os.utime(path)
                return
            staged.write_bytes(content)
            staged.replace(path)

    def find(self, sha256: str) -> bytes | None:
        """Return a content, as it was; None where it is not kept, or damaged."""
        path = self._directory / sha256
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def prune(self) -> None:
        """Remove the least recently used until the rest is within the bound."""
        left = self._max_total
        for status, path in sorted(self._all(), key=lambda one: -one[0].st_mtime_ns):
            left -= status.st_size
            if left < 0 or path.suffix:
                with suppress(OSError):
                    path.unlink()

    def _all(self) -> Iterator[tuple[os.stat_result, Path]]:
        for path in self._directory.iterdir():
            with suppress(FileNotFoundError):
                yield path.stat(), path
