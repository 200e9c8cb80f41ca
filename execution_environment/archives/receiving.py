"""An archive as it comes in: its manifest first, then contents, each into a staged file of its own.

The event loop only tells the members apart; what they hold is handed to threads in portions, so that
a small file costs no turn of its own.
"""

import stat
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TypeVar

from common.errors import ClientError, ToolError
from common.files.archives import MANIFEST
from common.files.tar_stream import MalformedTar, Member, TarReader
from execution_environment.archives.manifest import Manifest, ManifestReader
from execution_environment.sandbox.limits import CallLimits
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.staged_change import StagedChange
from execution_environment.workspace.streams import IncomingFile

T = TypeVar("T")
PORTION = 1024 * 1024
"""Bytes that a thread is given at once."""
MANY = 2000
"""Pieces of contents that it is given at once, however small."""


class InThread(Protocol):
    """Does work in a thread and waits for it, however often that is cancelled."""

    def __call__(self, func: Callable[..., T], *arguments: object) -> Coroutine[Any, Any, T]: ...


@contextmanager
def malformed_refused() -> Iterator[None]:
    """Turn what is wrong with a tar stream into the answer to it."""
    try:
        yield
    except MalformedTar as error:
        raise ClientError("invalid_archive", f"The archive cannot be read: {error}") from error


async def read_manifest(tar: TarReader, most: int, in_thread: InThread) -> Manifest:
    """Read the first member, which has at most so many lines; raise as `ManifestReader` does."""
    lines = ManifestReader(most)
    with malformed_refused():
        member = await tar.next_member()
        if member is None or member.name != MANIFEST:
            raise ClientError("invalid_archive", f"The first member has to be {MANIFEST}")
        lines.require_size(member.size)
        part = bytearray()
        async for piece in tar.content():
            part += piece
            if len(part) >= PORTION:
                await in_thread(lines.feed, bytes(part))
                part.clear()
    await in_thread(lines.feed, bytes(part))
    return await in_thread(lines.finish)


class Contents:
    """The contents that an archive brings: each once, and only those that its manifest names."""

    def __init__(self, sizes: dict[bytes, int], change: StagedChange, limits: CallLimits) -> None:
        """`sizes` of all contents that may come, in bytes, by their hashes."""
        self._sizes = sizes
        self._change = change
        self._limits = limits
        self._named: set[bytes] = set()
        self.files: dict[bytes, IncomingFile] = {}
        """Staged, by hash; complete and checked once all is written."""

    def make_room(self, manifest: Manifest, reader: Reader) -> None:
        """Count what the files that are named take up now as free, where the room is short."""
        meter = self._change.meter
        if sum(self._sizes.values()) <= meter.quota.size - meter.used.size:
            return
        for entry in manifest.entries.values():
            self._limits.check_deadline()
            with suppress(ToolError):  # what bars the way to a file is told when all are looked at
                status = reader.find(entry.shown)
                if status is not None and stat.S_ISREG(status.st_mode):
                    meter.add(-status.st_size)

    async def receive(self, tar: TarReader, in_thread: InThread) -> None:
        """Take in all members that are left; raise `invalid_archive`, `file_too_large`, …."""
        portion: list[tuple[bytes, bytes]] = []
        size = 0
        async for sha256, piece in self._pieces(tar):
            portion.append((sha256, piece))
            size += len(piece)
            if size >= PORTION or len(portion) >= MANY:
                await in_thread(self._write, portion)
                portion, size = [], 0
        await in_thread(self._write, portion)

    async def _pieces(self, tar: TarReader) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yield each content with its hash, in pieces; of an empty one that is one."""
        with malformed_refused():
            while (member := await tar.next_member()) is not None:
                sha256 = self._expected(member)
                if not member.size:
                    yield sha256, b""
                async for piece in tar.content():
                    yield sha256, piece

    def _expected(self, member: Member) -> bytes:
        """Return the hash that a member is named by, if it may come."""
        sha256 = _hash_of(member.name)
        size = None if sha256 is None else self._sizes.get(sha256)
        if sha256 is None or size is None:
            raise _invalid(f"The manifest names no content '{member.name}'")
        if sha256 in self._named:
            raise _invalid(f"The content '{member.name}' comes twice")
        if size != member.size:
            raise _invalid(f"The content '{member.name}' has {member.size} bytes, and not {size}")
        if size > self._limits.max_write:
            raise ToolError(
                "file_too_large",
                f"The content '{member.name}' is larger than {self._limits.max_write} bytes",
                limit=self._limits.max_write,
                actual=size,
            )
        self._named.add(sha256)
        return sha256

    def _write(self, portion: list[tuple[bytes, bytes]]) -> None:
        for sha256, data in portion:
            self._limits.check_deadline()
            incoming = self.files.get(sha256)
            if incoming is None:
                incoming = self.files[sha256] = self._change.receive()
            incoming.write(data)
            if incoming.size == self._sizes[sha256]:
                incoming.finish()
                if incoming.sha256 != sha256.hex():
                    raise _invalid(f"The content '{sha256.hex()}' has another hash")


def _hash_of(name: str) -> bytes | None:
    """Return the hash that a name is, as it is written in manifests; None for another name."""
    try:
        sha256 = bytes.fromhex(name)
    except ValueError:
        return None
    return sha256 if sha256.hex() == name else None


def _invalid(detail: str) -> ClientError:
    return ClientError("invalid_archive", detail)
