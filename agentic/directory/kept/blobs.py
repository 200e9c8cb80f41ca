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
        self._is_pruned = True

    def has(self, sha256: str) -> bool:
        """Tell whether a text is kept, and count that as use."""
        try:
            os.utime(self._directory / sha256)
        except OSError:
            return False
        return True

    def keep(self, sha256: str, content: bytes) -> None:
        """Keep a text of MAX_SIZE at most; what is larger, binary or another is passed over."""
        is_text = len(content) <= MAX_SIZE and b"\0" not in content
        if not is_text or hashlib.sha256(content).hexdigest() != sha256:
            return
        path = self._directory / sha256
        staged = path.with_suffix(".tmp")
        with suppress(OSError):  # a full disk costs a merge, not the command
            staged.write_bytes(content)
            staged.replace(path)
            self._is_pruned = False

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
        """Remove the least recently used until the rest is within the bound, if any was added."""
        if self._is_pruned:
            return
        left = self._max_total
        for status, path in sorted(self._all(), key=lambda one: -one[0].st_mtime_ns):
            left -= status.st_size
            if left < 0 or path.suffix:
                with suppress(OSError):
                    path.unlink()

    def _all(self) -> Iterator[tuple[os.stat_result, Path]]:
        for path in self._directory.glob("*"):  # nothing, where somebody has removed it
            with suppress(FileNotFoundError):
                yield path.stat(), path
