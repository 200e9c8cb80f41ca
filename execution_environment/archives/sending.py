"""Archives as they are sent: the pieces are made one by one, each when there is room for it.

What fails on the way fails the stream, which then lacks its end: nobody takes a part for the whole.
"""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing

from common.errors import SystemFault, ToolError
from common.files import tar_stream
from common.files.archives import MANIFEST
from common.files.paths import show
from execution_environment.archives.comparing import Comparison, Present
from execution_environment.sandbox.descriptors import identity
from execution_environment.sandbox.limits import CallLimits
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.streams import OutgoingFile

PIECE = 256 * 1024
"""Bytes that are read in one go, and about as many that are sent in one."""
Pieces = Generator[bytes, None, None]


class Outgoing:
    """An answer whose pieces are made in threads, a thread for one piece at a time.

    `close` never waits: a request that is cut off may leave its last piece to a thread, which closes
    up then.
    """

    def __init__(self, pieces: Pieces, limits: CallLimits) -> None:
        self._pieces = pieces
        self._limits = limits
        self._turn = threading.Lock()
        self._is_closed = False

    def read(self) -> bytes:
        """Return what is to be sent next, nothing at the end. Work for a thread."""
        try:
            with self._turn:
                return self._read()
        finally:
            if self._is_closed:
                self.close()

    def _read(self) -> bytes:
        data = bytearray()
        while len(data) < PIECE and not self._is_closed:
            self._limits.check_deadline()
            piece = next(self._pieces, None)
            if piece is None:
                break
            data += piece
        return bytes(data)

    @property
    def seconds_left(self) -> float:
        """How long it may still be sent; 0 when its deadline has passed."""
        return max(self._limits.deadline - time.monotonic(), 0.0)

    def close(self) -> None:
        """Give back what it holds; once is enough."""
        self._is_closed = True
        if self._turn.acquire(blocking=False):
            try:
                self._pieces.close()
            finally:
                self._turn.release()


def lines_of(comparison: Comparison) -> Pieces:
    """Yield the differences as NDJSON."""
    yield from comparison.lines()


def require_sizes(comparison: Comparison) -> None:
    """Raise `file_too_large` for a file of which the headers of an archive cannot tell."""
    for path, present in comparison.contents():
        if present.size > tar_stream.MAX_SIZE:
            raise ToolError(
                "file_too_large",
                f"'{show(path)}' is too large for an archive of differences",
                path=show(path),
                limit=tar_stream.MAX_SIZE,
                actual=present.size,
            )


def archive_of(comparison: Comparison, reader: Reader) -> Pieces:
    """Yield the differences as an archive: what differs first, then each content that is here."""
    size = sum(map(len, comparison.lines()))
    yield tar_stream.header_of(MANIFEST, size)
    yield from comparison.lines()
    yield tar_stream.padding_of(size)
    for path, present in comparison.contents():
        yield from _content_of(path, present, reader)
    yield tar_stream.END


def _content_of(path: bytes, present: Present, reader: Reader) -> Iterator[bytes]:
    """Yield a member; raise unless the file is, before and after, what was compared."""
    try:
        outgoing = reader.open_file(show(path))
    except ToolError as error:
        raise changed(show(path)) from error
    with closing(outgoing):
        if present.sha256 is None or identity(outgoing.status) != present.identity:
            raise changed(show(path))
        yield tar_stream.header_of(present.sha256.hex(), present.size)
        yield from bytes_of(outgoing)
        if identity(outgoing.status_now()) != present.identity:
            raise changed(show(path))
    yield tar_stream.padding_of(present.size)


def bytes_of(outgoing: OutgoingFile) -> Iterator[bytes]:
    """Yield what a file holds, of the size that it had when it was opened."""
    size = outgoing.status.st_size
    for offset in range(0, size, PIECE):
        yield outgoing.read(offset, min(PIECE, size - offset))


def changed(path: str) -> SystemFault:
    """Return the error for a file that is another one than was told; asked again, all is well."""
    return SystemFault("unavailable", f"'{path}' has changed while it was sent")
