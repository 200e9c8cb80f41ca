"""The SDK's archives, tars with the files' own names, as those that a workspace takes in."""

import hashlib
import io
import shutil
import tarfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import IO

from agents.sandbox import WorkspaceArchiveWriteError

from common.files.archives import MANIFEST, ManifestDeletion, ManifestEntry, ManifestFile
from common.files.paths import plain, show
from common.files.tar_stream import END, header_of, padding_of

IN_MEMORY = 16 * 1024 * 1024
"""Bytes of an archive that are kept in memory; a larger one is a temporary file."""
PIECE = 256 * 1024
"""Bytes that are read at once."""


@contextmanager
def made() -> Iterator[IO[bytes]]:
    """Make a file for an archive, gone when it is closed: by the caller, once it is complete."""
    with ExitStack() as stack:
        file = stack.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))
        yield file
        file.seek(0)
        stack.pop_all()


@dataclass(frozen=True)
class Packed:
    """Files as a workspace takes them in: what they are, and a file with each content once."""

    files: tuple[ManifestFile, ...]
    contents: IO[bytes]

    async def manifest(self) -> AsyncIterator[bytes]:
        """Yield the manifest alone, to be compared with a workspace."""
        yield _lines(self.files)

    async def pieces(self, gone: Sequence[ManifestDeletion] = ()) -> AsyncIterator[bytes]:
        """Yield the archive, from its beginning each time, with files that are to go."""
        lines = _lines((*self.files, *gone))
        yield header_of(MANIFEST, len(lines)) + lines + padding_of(len(lines))
        self.contents.seek(0)
        while piece := self.contents.read(PIECE):
            yield piece


def packed(archive: io.IOBase) -> Packed:
    """Return what a workspace is to take in of a tar; the caller closes its contents.

    Raises WorkspaceArchiveWriteError for what is no tar, and for links and specials. Directories
    come with their files: one without any is left out. It blocks.
    """
    with SpooledTemporaryFile(max_size=IN_MEMORY) as tar:
        shutil.copyfileobj(archive, tar)
        tar.seek(0)
        try:
            with tarfile.open(fileobj=tar) as members:
                return _packed(members)
        except tarfile.TarError as error:
            raise _refused("?", f"it is no tar: {error}") from error


def _packed(members: tarfile.TarFile) -> Packed:
    """A name that comes twice is the last one's: so it would be unpacked."""
    files: dict[str, ManifestFile] = {}
    sources: dict[str, tarfile.TarInfo] = {}
    for member in members:
        if not member.isdir():
            file = _described(members, member)
            files[file.path] = file
            sources[file.sha256] = member
    with made() as contents:
        for sha256 in {file.sha256: None for file in files.values()}:
            contents.write(header_of(sha256, sources[sha256].size))
            shutil.copyfileobj(_content(members, sources[sha256]), contents)
            contents.write(padding_of(sources[sha256].size))
        contents.write(END)
    return Packed(tuple(files.values()), contents)


def _lines(entries: Sequence[ManifestEntry]) -> bytes:
    return "".join(f"{entry.model_dump_json()}\n" for entry in entries).encode()


def _described(members: tarfile.TarFile, member: tarfile.TarInfo) -> ManifestFile:
    path = plain(show(member.name.encode("utf-8", "surrogateescape")))
    if not member.isreg():
        raise _refused(path, "a workspace takes in neither links nor specials")
    sha256 = hashlib.file_digest(_content(members, member), "sha256").hexdigest()  # type: ignore[arg-type]
    mode = "0755" if member.mode & 0o100 else "0644"
    return ManifestFile(path=path, sha256=sha256, size=member.size, mode=mode)


def _content(members: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = members.extractfile(member)
    if content is None:
        raise _refused(member.name, "it has no content")
    return content


def without(tar: IO[bytes], left_out: set[Path]) -> IO[bytes]:
    """Return a tar without some paths, relative to the workspace, and what is in them. It blocks."""
    if not left_out:
        return tar
    with (
        tar,
        tarfile.open(fileobj=tar) as members,
        made() as out,
        tarfile.open(fileobj=out, mode="w") as kept,
    ):
        for member in members:
            if not is_within(member.name, left_out):
                kept.addfile(member, members.extractfile(member) if member.isreg() else None)
    return out


def is_within(path: str, roots: set[Path]) -> bool:
    """Tell whether a path, relative to the workspace, is one of some paths or beneath one."""
    named = PurePosixPath(path)
    return any(named.is_relative_to(root.as_posix()) for root in roots)


def _refused(path: str, why: str) -> WorkspaceArchiveWriteError:
    return WorkspaceArchiveWriteError(path=Path(path), message=f"'{path}' of the archive: {why}")
