"""Opening beneath a descriptor: the one way in which a path reaches the file system."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from common.errors import ToolError
from common.files.paths import Parts
from execution_environment.sandbox.limits import CallLimits
from execution_environment.sandbox.syscalls import openat2

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
"""O_NONBLOCK: opening a FIFO must not wait for somebody who writes."""
DIRECTORY = READ | os.O_DIRECTORY
ANY = os.O_PATH | os.O_NOFOLLOW
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PERMISSIONS = 0o777
CHUNK = 256 * 1024


class Identity(NamedTuple):
    """What tells that a file is still the one that was looked at."""

    inode: int
    changed_ns: int


def identity(status: os.stat_result) -> Identity:
    """Return the identity of a file: rewriting it, even in place, gives it another."""
    return Identity(status.st_ino, status.st_ctime_ns)


def open_beneath(root: int, parts: Parts, flags: int) -> int:
    """Open a path beneath the descriptor `root`; the caller closes what it gets."""
    return openat2(root, b"/".join(parts) or b".", flags)


@contextmanager
def opened(root: int, parts: Parts, flags: int) -> Iterator[int]:
    """Open a path beneath `root` for the time of the context."""
    descriptor = open_beneath(root, parts, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_file(root: int, parts: Parts, path: str) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file for reading; yield its descriptor and status. `path` is for errors."""
    with opened(root, parts, READ) as descriptor:
        status = os.fstat(descriptor)
        require_file(status, path)
        yield descriptor, status


def chunks(descriptor: int, limits: CallLimits) -> Iterator[bytes]:
    """Yield what a file holds, until its end or the deadline."""
    while chunk := os.read(descriptor, CHUNK):
        limits.check_deadline()
        yield chunk


def status_at(directory: int, leaf: bytes) -> os.stat_result | None:
    """Return the status of one entry of a directory (of the link, if it is one), or None."""
    try:
        return os.stat(leaf, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def make_accessible(leaf: bytes, directory: int) -> None:
    """Let the owner do everything with a directory that is about to be removed."""
    descriptor = os.open(leaf, ANY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", 0o700)  # fchmod(2) refuses O_PATH
    finally:
        os.close(descriptor)


def make_directory(parent: int, leaf: bytes, mode: int, *, durable: bool = True) -> None:
    """Make a directory with this very mode: the process's umask takes nothing away."""
    os.mkdir(leaf, mode=mode, dir_fd=parent)
    os.chmod(leaf, mode, dir_fd=parent)
    if durable:
        os.fsync(parent)


def directory_in(parent: int, leaf: bytes, mode: int, *, durable: bool) -> int:
    """Open a directory, made if it is not there yet; the caller closes what it gets."""
    if status_at(parent, leaf) is None:
        make_directory(parent, leaf, mode, durable=durable)
    return os.open(leaf, DIRECTORY | os.O_CLOEXEC, dir_fd=parent)


def require_file(status: os.stat_result, path: str) -> None:
    """Raise unless the status is that of a regular file."""
    if stat.S_ISLNK(status.st_mode):
        raise ToolError(
            "path_not_allowed", f"'{path}' is a symbolic link", path=path, errno="ELOOP"
        )
    if stat.S_ISDIR(status.st_mode):
        raise ToolError("not_a_file", f"'{path}' is a directory", path=path, errno="EISDIR")
    if not stat.S_ISREG(status.st_mode):
        raise ToolError("unsupported_file", f"'{path}' is a FIFO, a socket or a device", path=path)


def kind(mode: int) -> str:
    """Return `file`, `directory`, `symlink` or `other`."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, in as many pieces as the kernel takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_file(directory: int, name: bytes, chunks: Iterable[bytes], mode: int) -> None:
    """Write a new file into a directory, durably."""
    descriptor = os.open(name, NEW, mode=0o600, dir_fd=directory)
    try:
        for chunk in chunks:
            write_all(descriptor, chunk)
        os.fchmod(descriptor, mode & PERMISSIONS)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
