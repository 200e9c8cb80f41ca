"""A workspace, or a part of it, as an archive that every tar can read: with its names, as pax has them.

Its files and directories, whoever owns them; links and specials stay behind.
"""

import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing

from common.errors import ToolError
from common.files import tar_stream
from common.files.paths import Parts, parse, show_path
from execution_environment.archives.sending import Pieces, bytes_of, changed
from execution_environment.sandbox.walking import scan
from execution_environment.workspace.reader import Reader

_GONE = {
    "path_not_found", "path_not_allowed", "not_a_file", "not_a_directory", "unsupported_file",
}  # fmt: skip
"""What is answered for a file that was there a moment ago."""


def pack(reader: Reader, path: str) -> Pieces:
    """Return an archive of what a path names, beneath its name in the workspace.

    Raises for a path that is not there; a workspace that is not made yet is empty.
    """
    parts = parse(path)
    if parts and stat.S_ISREG(reader.status(path).st_mode):
        return _ended(_file(reader, parts))
    if not parts and reader.find(path) is None:
        return _ended(iter(()))
    return _ended(_directory(reader, parts))


def _ended(members: Iterator[bytes]) -> Pieces:
    yield from members
    yield tar_stream.END


def _directory(reader: Reader, parts: Parts) -> Iterator[bytes]:
    root = reader.root
    if parts:
        yield _header(parts, reader.status(show_path(parts)))
    for entries in scan(root.descriptor, root.base, parts, None, reader.limits):
        for entry in entries:
            if stat.S_ISDIR(entry.status.st_mode):
                yield _header(entry.parts, entry.status)
            elif stat.S_ISREG(entry.status.st_mode):
                yield from _file(reader, entry.parts)


def _file(reader: Reader, parts: Parts) -> Iterator[bytes]:
    """Yield a file, if it is still there; raise when somebody writes it meanwhile."""
    path = show_path(parts)
    try:
        outgoing = reader.open_file(path)
    except ToolError as error:
        if error.code not in _GONE:
            raise
        return
    with closing(outgoing):
        before = outgoing.status
        yield _header(parts, before)
        yield from bytes_of(outgoing)
        after = outgoing.status_now()
    # Not its ctime: a file that another one replaces is still whole.
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise changed(path)
    yield tar_stream.padding_of(before.st_size)


def _header(parts: Parts, status: os.stat_result) -> bytes:
    info = tarfile.TarInfo(b"/".join(parts).decode("utf-8", "surrogateescape"))
    info.mtime = status.st_mtime_ns // 10**9
    info.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    if stat.S_ISDIR(status.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    else:
        info.size = status.st_size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
