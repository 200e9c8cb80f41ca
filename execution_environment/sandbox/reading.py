"""Reading files: one pass in chunks gives the data or a window of it, the hash and the totals."""

import codecs
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from execution_environment.sandbox.bounds import Bounds
from execution_environment.sandbox.descriptors import PERMISSIONS, Identity, identity

CHUNK = 256 * 1024


@dataclass(frozen=True)
class Slice:
    """Part of a file. Lines count from 1; `truncated` says that more follows it in the file."""

    data: bytes
    start_line: int
    end_line: int
    total_lines: int
    size: int
    sha256: str
    truncated: bool


def chunks(descriptor: int, bounds: Bounds) -> Iterator[bytes]:
    """Yield what a file holds, until its end or the deadline."""
    while chunk := os.read(descriptor, CHUNK):
        bounds.check_deadline()
        yield chunk


@dataclass(frozen=True)
class Snapshot:
    """A file as it was read. `data` is None when the file is larger than was asked for."""

    identity: Identity
    mode: int
    size: int
    sha256: str
    data: bytes | None


def take_snapshot(
    descriptor: int, status: os.stat_result, bounds: Bounds, max_data: int
) -> Snapshot:
    """Read a file to its end; keep its data when that is at most `max_data` bytes."""
    digest, data, size = hashlib.sha256(), bytearray(), 0
    for chunk in chunks(descriptor, bounds):
        digest.update(chunk)
        size += len(chunk)
        data += chunk[: max(max_data + 1 - len(data), 0)]
    return Snapshot(
        identity=identity(status),
        mode=stat.S_IMODE(status.st_mode) & PERMISSIONS,
        size=size,
        sha256=digest.hexdigest(),
        data=bytes(data) if size <= max_data else None,
    )


@dataclass
class Lines:
    """A window of `count` lines (None: all) from line `start` on, of at most `limit` bytes."""

    start: int
    count: int | None
    limit: int
    offset: int = 0
    taken: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes, position: int, newlines: int) -> None:
        """Take what belongs to the window of a chunk that stands after so many bytes and lines."""
        if len(self.taken) > self.limit:
            return
        skip = self.start - 1 - newlines
        rest = chunk
        if skip > 0:
            rest = chunk.split(b"\n", skip)[skip] if chunk.count(b"\n") >= skip else b""
        if not self.taken:
            self.offset = position + len(chunk) - len(rest)
        self.taken += rest

    def window(self) -> bytes:
        """Return the lines; a window past the limit ends with its last whole line."""
        data = bytes(self.taken)
        if self.count is not None and data.count(b"\n") >= self.count:
            data = data[: len(data) - len(data.split(b"\n", self.count)[self.count])]
        if len(data) > self.limit:
            data = data[: data.rfind(b"\n", 0, self.limit) + 1 or self.limit]
        return data


@dataclass
class Bytes:
    """A window of at most `limit` bytes from `offset` on."""

    offset: int
    limit: int
    start: int = 1
    taken: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes, position: int, newlines: int) -> None:
        """Take what belongs to the window of a chunk that stands after so many bytes and lines."""
        begin = max(self.offset - position, 0)
        if not self.taken and begin <= len(chunk):
            self.start = newlines + chunk.count(b"\n", 0, begin) + 1
        self.taken += chunk[begin : begin + self.limit - len(self.taken)]

    def window(self) -> bytes:
        """Return the bytes."""
        return bytes(self.taken)


def whole_characters(data: bytes) -> bytes:
    """Drop the rests of UTF-8 characters that a cut left at either end."""
    start = next((i for i, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data[start:])
    return data[start : len(data) - len(decoder.getstate()[0])]


def read_slice(pieces: Iterator[bytes], wanted: Lines | Bytes, *, as_text: bool) -> Slice:
    """Read a file to its end and return the window; `as_text` never cuts a UTF-8 character."""
    digest, size, newlines, last = hashlib.sha256(), 0, 0, b"\n"
    for piece in pieces:
        digest.update(piece)
        wanted.feed(piece, size, newlines)
        size += len(piece)
        newlines += piece.count(b"\n")
        last = piece[-1:]
    data = wanted.window()
    follows = wanted.offset + len(data) < size
    if as_text and (follows or wanted.offset > 0):
        data = whole_characters(data)
    lines = data.count(b"\n") + (not data.endswith(b"\n") if data else 0)
    return Slice(
        data=data,
        start_line=wanted.start,
        end_line=wanted.start + lines - 1,
        total_lines=newlines + (last != b"\n"),
        size=size,
        sha256=digest.hexdigest(),
        truncated=follows,
    )
