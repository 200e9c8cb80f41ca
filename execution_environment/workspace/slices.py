"""Windows of files, by lines or by bytes: with the hash and the totals of the whole, or without."""

import codecs
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from execution_environment.sandbox.descriptors import chunks
from execution_environment.sandbox.limits import CallLimits


@dataclass(frozen=True)
class Slice:
    """Part of a file. Lines count from 1; `truncated` says that more follows it in the file.

    None is what only the whole file could tell, where that was not read.
    """

    data: bytes
    start_line: int | None
    end_line: int | None
    total_lines: int | None
    size: int
    sha256: str | None
    truncated: bool


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
            rest = chunk[_after_newlines(chunk, skip) :]
        if not self.taken:
            self.offset = position + len(chunk) - len(rest)
        self.taken += rest

    @property
    def is_full(self) -> bool:
        """Whether nothing that follows belongs to it."""
        is_counted = self.count is not None and self.taken.count(b"\n") >= self.count
        return is_counted or len(self.taken) > self.limit

    def window(self) -> bytes:
        """Return the lines; a window past the limit ends with its last whole line."""
        data = bytes(self.taken)
        if self.count is not None and data.count(b"\n") >= self.count:
            data = data[: _after_newlines(data, self.count)]
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

    @property
    def is_full(self) -> bool:
        """Whether nothing that follows belongs to it."""
        return len(self.taken) >= self.limit

    def window(self) -> bytes:
        """Return the bytes."""
        return bytes(self.taken)


def whole_characters(data: bytes) -> bytes:
    """Drop the rests of UTF-8 characters that a cut left at either end."""
    start = next((i for i, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data[start:])
    return data[start : len(data) - len(decoder.getstate()[0])]


def _after_newlines(data: bytes, count: int) -> int:
    """Return the position after so many newlines, or the end where there are fewer."""
    low, high = -1, len(data)
    while high - low > 1:
        middle = (low + high) // 2
        found = data.count(b"\n", max(low, 0), middle)
        if found < count:
            low, count = middle, count - found
        else:
            high = middle
    return high


def read_slice(pieces: Iterator[bytes], wanted: Lines | Bytes, *, as_text: bool) -> Slice:
    """Read a file to its end and return the window; `as_text` never cuts a UTF-8 character."""
    digest, size, newlines, last = hashlib.sha256(), 0, 0, b"\n"
    for piece in pieces:
        digest.update(piece)
        wanted.feed(piece, size, newlines)
        size += len(piece)
        newlines += piece.count(b"\n")
        last = piece[-1:]
    return _slice(wanted, size, wanted.start, newlines + (last != b"\n"), digest, as_text=as_text)


def read_window(
    descriptor: int, size: int, wanted: Lines | Bytes, limits: CallLimits, *, as_text: bool
) -> Slice:
    """Return the window of a file of `size` bytes, having read no further than its end."""
    position = newlines = 0
    if isinstance(wanted, Bytes):
        position = os.lseek(descriptor, min(wanted.offset, size), os.SEEK_SET)
    for piece in chunks(descriptor, limits):
        wanted.feed(piece, position, newlines)
        position += len(piece)
        newlines += piece.count(b"\n")
        if wanted.is_full:
            break
    is_in_lines = isinstance(wanted, Lines) or wanted.offset == 0
    start = wanted.start if is_in_lines else None
    return _slice(wanted, size, start, None, None, as_text=as_text)


def _slice(
    wanted: Lines | Bytes,
    size: int,
    start: int | None,
    total: int | None,
    digest: "hashlib._Hash | None",
    *,
    as_text: bool,
) -> Slice:
    data = wanted.window()
    follows = wanted.offset + len(data) < size
    if as_text and (follows or wanted.offset > 0):
        data = whole_characters(data)
    lines = data.count(b"\n") + (not data.endswith(b"\n") if data else 0)
    return Slice(
        data=data,
        start_line=start,
        end_line=None if start is None else start + lines - 1,
        total_lines=total,
        size=size,
        sha256=None if digest is None else digest.hexdigest(),
        truncated=follows,
    )
