"""What is sent of a directory: manifests and archives, piece by piece, read as they are sent."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from agentic.directory.faults import refusal, told_of
from agentic.directory.names import parsed
from agentic.directory.root import Root
from agentic.directory.state import LocalFile
from common.errors import AgenticError
from common.files.archives import MANIFEST, ManifestEntry, ManifestFile
from common.files.tar_stream import END, MAX_SIZE, header_of, padding_of

PIECE = 1024 * 1024
"""Bytes that are read, and handed on, at a time."""
Body = Callable[[], AsyncIterator[bytes]]
"""Makes a body, anew each time that it has to be sent."""


class ChangedMeanwhile(Exception):
    """A file is not what its manifest says any more; the message is its path."""


@dataclass(frozen=True)
class Progress:
    """How much of an archive's contents has been sent; from the start again where it is repeated."""

    files: int
    total_files: int
    size: int
    total_size: int
    """Bytes."""


def manifest_file(path: str, file: LocalFile, expected: LocalFile | None = None) -> ManifestFile:
    """Return the line of a file that is, or is to be, so; `expected`: what it replaces."""
    return ManifestFile(
        path=path,
        sha256=file.sha256,
        size=file.size,
        mode="0755" if file.is_executable else "0644",
        expected_sha256=None if expected is None else expected.sha256,
    )


def manifest_body(files: Mapping[str, LocalFile]) -> Body:
    """Return the manifest of these files as a diff takes it."""
    lines = [manifest_file(path, file) for path, file in files.items()]
    return lambda: _handed_on(_encoded(lines))


def archive_body(
    root: Root,
    entries: list[ManifestEntry],
    contents: Mapping[str, str],
    report: Callable[[Progress], None],
) -> Body:
    """Return an archive of the entries; `contents`: of which hashes, and in which path each lies.

    The body raises ChangedMeanwhile where a file is another now, before it is complete.
    """
    sizes = {entry.sha256: entry.size for entry in entries if isinstance(entry, ManifestFile)}
    files = {sha256: (path, sizes[sha256]) for sha256, path in contents.items()}
    for path, size in files.values():
        if size > MAX_SIZE:
            raise refusal("file_too_large", f"'{path}' is too large to be sent", limit=MAX_SIZE)
    return lambda: _handed_on(_archive(root, entries, files, report))


def _archive(
    root: Root,
    entries: list[ManifestEntry],
    files: Mapping[str, tuple[str, int]],
    report: Callable[[Progress], None],
) -> Generator[bytes, None, None]:
    manifest = b"".join(_encoded(entries))
    yield from (header_of(MANIFEST, len(manifest)), manifest, padding_of(len(manifest)))
    total, sent = sum(size for _, size in files.values()), 0
    for number, (sha256, (path, size)) in enumerate(files.items()):
        yield header_of(sha256, size)
        for piece in _content(root, path, sha256, size):
            yield piece
            sent += len(piece)
            report(Progress(number, len(files), sent, total))
        yield padding_of(size)
    report(Progress(len(files), len(files), sent, total))
    yield END


def _content(root: Root, path: str, sha256: str, size: int) -> Generator[bytes, None, None]:
    """Yield a file's content, if it is that of the manifest; else raise before its last piece."""
    digest = hashlib.sha256()
    left = size
    with _opened(root, path) as descriptor, told_of(path):
        while left:
            piece = os.read(descriptor, min(PIECE, left))
            digest.update(piece)
            left -= len(piece)
            if not piece or (not left and digest.hexdigest() != sha256):
                raise ChangedMeanwhile(path)
            yield piece


@contextmanager
def _opened(root: Root, path: str) -> Iterator[int]:
    """Open a file that was one when it was looked at."""
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(root.open_file(parsed(path)))
        except AgenticError as error:  # gone, or a link: the next look at it says which
            raise ChangedMeanwhile(path) from error
        yield descriptor


def _encoded(entries: Iterable[ManifestEntry]) -> Generator[bytes, None, None]:
    for entry in entries:
        yield entry.model_dump_json(exclude_none=True).encode() + b"\n"


async def _handed_on(pieces: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
    """Hand on larger pieces, made in a thread: not one by one where files are small."""
    with closing(pieces):
        while piece := await asyncio.to_thread(_collected, pieces):
            yield piece


def _collected(pieces: Iterator[bytes]) -> bytes:
    collected = bytearray()
    for piece in pieces:
        collected += piece
        if len(collected) >= PIECE:
            break
    return bytes(collected)
