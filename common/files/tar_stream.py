"""Tar streams piece by piece: the members of one that arrives, the blocks of one that is sent.

Regular files only, as POSIX has them (pax, "ustar Interchange Format"): a link, a device or a sparse
file is refused by the kind that its header names, before anything is made of it.
"""

import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

BLOCK = tarfile.BLOCKSIZE
MAX_SIZE = 8**11 - 1
"""Bytes of the largest member that a header of this format can tell of."""
MAX_PADDING = 64 * 1024
"""Bytes that may follow the end of an archive: writers fill their last record."""
_END = bytes(BLOCK)
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
        self._left = 0
        self._offset = 0

    async def next_member(self) -> Member | None:
        """Return the next member, past what is left of the last one's content; None at the end."""
        async for _ in self.content():
            pass
        start = self._offset
        header = await self._exactly(BLOCK)
        if header == _END:
            await self._read_padding()
            return None
        member = _parsed(header, start)
        self._left = member.size
        self._padding = -member.size % BLOCK
        return member

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the member's content, in pieces as they arrive."""
        if not self._left:
            return
        while self._left:
            piece = await self._some(self._left)
            self._left -= len(piece)
            yield piece
        await self._exactly(self._padding)

    async def _exactly(self, size: int) -> bytes:
        read = b""
        while len(read) < size:
            read += await self._some(size - len(read))
        return read

    async def _some(self, most: int) -> bytes:
        """Return some bytes, `most` at most; raise at the end of the stream."""
        while not self._buffer:
            try:
                self._buffer = await anext(self._pieces)
            except StopAsyncIteration:
                raise MalformedTar(
                    f"it ends at byte {self._offset}, before it is complete"
                ) from None
        piece, self._buffer = self._buffer[:most], self._buffer[most:]
        self._offset += len(piece)
        return piece

    async def _read_padding(self) -> None:
        size = len(self._buffer)
        is_blank = not any(self._buffer)
        async for piece in self._pieces:
            size += len(piece)
            is_blank = is_blank and not any(piece)
            if size > MAX_PADDING:
                break
        if not is_blank or size > MAX_PADDING:
            raise MalformedTar(f"something follows its end at byte {self._offset}")


def _parsed(header: bytes, start: int) -> Member:
    """Return what a header says; raise MalformedTar for every kind but a regular file."""
    told = header[148:156].rstrip(b" \0")
    actual = sum(header[:148]) + sum(header[156:]) + 8 * ord(" ")
    if not told.isdigit() or int(told, 8) != actual:
        raise MalformedTar(f"there is no header of a member at byte {start}")
    name = header[:100].partition(b"\0")[0].decode("utf-8", "backslashreplace")
    kind = header[156:157]
    if kind not in (b"0", b"\0"):
        what = _KINDS.get(kind, "of an unknown kind")
        raise MalformedTar(f"its member '{name}' is {what}")
    size = header[124:136].rstrip(b" \0")
    if not size.isdigit() or header[345:500].strip(b"\0"):
        raise MalformedTar(f"the size or the name of its member '{name}' cannot be read")
    return Member(name, int(size, 8))


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
