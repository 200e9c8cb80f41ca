"""Tar streams piece by piece: the members of one that arrives, the blocks of one that is sent.

Regular files only, as POSIX has them (pax, "ustar Interchange Format"): a link, a device or a sparse
file is refused by the kind that its header names, before anything is made of it.
"""

import re
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

BLOCK = tarfile.BLOCKSIZE
MAX_SIZE = 8**11 - 1
"""Bytes of the largest member that a header of this format can tell of."""
MAX_PADDING = 64 * 1024
"""Bytes that may follow the end of an archive: writers fill their last record."""
_END = bytes(BLOCK)
_NUMBER = re.compile(rb" *([0-7]+)[ \0]*")
_REGULAR = (b"0", b"\0")
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a directory",
    b"6": "a FIFO",
    b"S": "a sparse file",
    b"x": "an extended header",
    b"g": "an extended header",
    b"L": "a long name",
    b"K": "a long link",
}


class MalformedTar(Exception):
    """The stream is no archive of the form that is taken; the message says where and why."""


@dataclass(frozen=True)
class Member:
    """A file within an archive; `size` in bytes."""

    name: str
    size: int


class TarReader:
    """Reads an archive as its pieces arrive: a member, then its content, then the next."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0
        self._left = self._padding = 0
        """Bytes of the member that are still to come, and of what fills its last block."""
        self._offset = 0

    async def next_member(self) -> Member | None:
        """Return the next member, past what is left of the last one's content; None at the end."""
        async for _ in self.content():
            pass
        await self._exactly(self._padding)
        start = self._offset
        header = await self._exactly(BLOCK)
        if header == _END:
            self._padding = 0
            await self._read_padding()
            return None
        member = _parsed(header, start)
        self._left, self._padding = member.size, -member.size % BLOCK
        return member

    async def content(self) -> AsyncIterator[bytes]:
        """Yield what is left of the member's content, in pieces as they arrive."""
        while self._left:
            piece = await self._some(self._left)
            self._left -= len(piece)
            yield piece

    async def _exactly(self, size: int) -> bytes:
        read = b""
        while len(read) < size:
            read += await self._some(size - len(read))
        return read

    async def _some(self, most: int) -> bytes:
        """Return some bytes, `most` at most; raise at the end of the stream."""
        while self._at == len(self._buffer):
            try:
                self._buffer, self._at = await anext(self._pieces), 0
            except StopAsyncIteration:
                raise MalformedTar(
                    f"it ends at byte {self._offset}, before it is complete"
                ) from None
        piece = self._buffer[self._at : self._at + most]
        self._at += len(piece)
        self._offset += len(piece)
        return piece

    async def _read_padding(self) -> None:
        """Read what follows the end, which is nothing but zeroes and not many of them."""
        rest = self._buffer[self._at :]
        size, is_blank = len(rest), not any(rest)
        while is_blank and size <= MAX_PADDING:
            piece = await anext(self._pieces, None)
            if piece is None:
                return
            size, is_blank = size + len(piece), not any(piece)
        raise MalformedTar(f"something follows its end at byte {self._offset}")


def _parsed(header: bytes, start: int) -> Member:
    """Return what a header says; raise MalformedTar for every kind but a regular file."""
    told = _NUMBER.fullmatch(header[148:156])
    if told is None or int(told[1], 8) != _checksum(header):
        raise MalformedTar(f"there is no header of a member at byte {start}")
    name = _shown(header[:100].partition(b"\0")[0])
    kind = header[156:157]
    if kind == b"\0" and name.endswith("/"):  # as was written before there were kinds
        kind = b"5"
    if kind not in _REGULAR:
        what = _KINDS.get(kind, "of an unknown kind")
        raise MalformedTar(f"its member '{name}' is {what}")
    size = _NUMBER.fullmatch(header[124:136])
    if size is None or header[345:500].strip(b"\0"):
        raise MalformedTar(f"the size or the name of its member '{name}' cannot be read")
    return Member(name, int(size[1], 8))


def _checksum(header: bytes) -> int:
    """Return the sum of a header's bytes, in which the sum itself counts as spaces."""
    return sum(header[:148]) + sum(header[156:]) + 8 * ord(" ")


def _shown(name: bytes) -> str:
    """Return a name as text that is safe to print; one that is so already is returned as it is."""
    text = name.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def header_of(name: str, size: int) -> bytes:
    """Return the block before a member's content, whose name has 100 bytes at most."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.USTAR_FORMAT)


def padding_of(size: int) -> bytes:
    """Return what follows a member's content, so that the next header begins with a block."""
    return bytes(-size % BLOCK)


END = 2 * _END
"""What follows the last member."""
