"""Contents on their way into a directory: by hash, in the client's state, durable once settled."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from agentic.directory.faults import refusal, told_of
from agentic.directory.state import LocalFile

PIECE = 1024 * 1024
"""Bytes that are read at once."""
SYNCED_AT_ONCE = 16
"""Files: a file system writes many down together nearly as fast as one."""


class Staging:
    """Files named by the SHA-256 of what is in them, in a directory that only its user can read.

    Raises AgenticErrors that name the path.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._unsynced: list[Path] = []

    def begin(self) -> None:
        """Make the area anew: what an earlier pull has left is of no use."""
        self.clear()
        with told_of(str(self._directory)):
            self._directory.mkdir(mode=0o700)

    def clear(self) -> None:
        """Remove the area with all that is in it."""
        with told_of(str(self._directory)):
            if self._directory.exists():
                shutil.rmtree(self._directory)

    def require_room(self, size: int) -> None:
        """Raise `no_space` where so many bytes do not fit: told sizes cost nothing to claim."""
        with told_of(str(self._directory)):
            free = shutil.disk_usage(self._directory).free
        if size > free:
            detail = f"{size} bytes are to come, and {self._directory} has room for {free}"
            raise refusal("no_space", detail, limit=free, actual=size)

    @contextmanager
    def receiving(self, sha256: str) -> Iterator["Incoming"]:
        """Begin a content; it is closed, and of no use unless it was settled."""
        path = self._directory / sha256
        with told_of(str(path)), path.open("xb") as file:
            yield Incoming(file, sha256)
        self._unsynced.append(path)

    def put(self, content: bytes) -> str:
        """Keep a content of our own; return its hash."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not (self._directory / sha256).exists():
            with self.receiving(sha256) as incoming:
                incoming.settle(content)
        return sha256

    def has(self, file: LocalFile) -> bool:
        """Tell whether a file's content is here."""
        return (self._directory / file.sha256).exists()

    def read(self, sha256: str) -> Iterator[bytes]:
        """Yield a content in pieces; raise `upstream_failed` where it is not what it was."""
        path = self._directory / sha256
        digest = hashlib.sha256()
        with told_of(str(path)), path.open("rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                yield piece
        if digest.hexdigest() != sha256:
            raise refusal("upstream_failed", f"'{path}' is damaged", hint="Pull again.")

    def settle(self) -> None:
        """Make all that was kept durable."""
        paths, self._unsynced = [*self._unsynced, self._directory], []
        with told_of(str(self._directory)), ThreadPoolExecutor(SYNCED_AT_ONCE) as threads:
            list(threads.map(_sync, paths))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Incoming:
    """A content that arrives. Its methods block: call them in a thread."""

    def __init__(self, file: BinaryIO, sha256: str) -> None:
        self._file, self._sha256 = file, sha256
        self._digest = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Write and hash a piece."""
        self._digest.update(piece)
        self._file.write(piece)

    def settle(self, piece: bytes) -> None:
        """Write the last piece; raise `upstream_failed` for another content."""
        self.write(piece)
        if self._digest.hexdigest() != self._sha256:
            detail = f"The server's answer is refused: a content is not of its hash {self._sha256}"
            raise refusal("upstream_failed", detail, hint="Nothing was changed here. Pull again.")
