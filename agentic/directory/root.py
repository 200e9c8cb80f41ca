"""A person's directory: every step beneath it by descriptor, so that no link leads out of it.

A path is walked name by name with O_NOFOLLOW from the directory's own descriptor: who swaps a
directory for a link meanwhile gets an error, never a file elsewhere. Where the system has no such
calls (Windows) files can be read, and writing is refused.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from agentic.directory.faults import refusal, told_of
from agentic.directory.names import Parts, shown

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
READ = os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""O_NONBLOCK: opening a FIFO must not wait for somebody who writes."""
DIRECTORY = READ | getattr(os, "O_DIRECTORY", 0)
_TOP = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
"""DIR itself may be named by a link: the person says which directory is meant."""
HAS_DESCRIPTORS = {os.open, os.stat, os.mkdir, os.rename, os.unlink} <= os.supports_dir_fd


class Identity(NamedTuple):
    """What tells a directory from every other: by itself, and by where it is."""

    device: int
    inode: int
    path: str


class LinkError(OSError):
    """A directory on the way is a link."""

    def __init__(self) -> None:
        super().__init__(errno.ELOOP, os.strerror(errno.ELOOP))


class Root:
    """The directory, open: `with Root(path) as root`. Raises AgenticErrors that name the path.

    `identity` tells it from every other directory.
    """

    def __init__(self, directory: Path, *, by_descriptor: bool = HAS_DESCRIPTORS) -> None:
        self.by_descriptor = by_descriptor
        with told_of(str(directory)):
            status = os.stat(directory)
            if not stat.S_ISDIR(status.st_mode):
                raise refusal("not_a_directory", f"'{directory}' is no directory")
            self._descriptor = os.open(directory, _TOP) if by_descriptor else None
            real = os.path.realpath(directory)
        self.identity = Identity(status.st_dev, status.st_ino, real)

    def __enter__(self) -> Self:
        """Return the root itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the directory."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def directory(self, parts: Parts, *, is_made: bool = False) -> Iterator[int]:
        """Open a directory beneath, made if need be; yield its descriptor. Raises errors that name it."""
        with told_of(shown(parts)):
            descriptor = self._descend(parts, is_made=is_made)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _descend(self, parts: Parts, *, is_made: bool = False) -> int:
        descriptor = os.open(".", DIRECTORY, dir_fd=self._descriptor)
        for part in parts:
            try:
                if is_made:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=descriptor)
                below = _below(descriptor, part)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    @contextmanager
    def _listable(self, parts: Parts) -> Iterator[int | str]:
        """Open a directory for looking into it: by path where there are no descriptors."""
        if self._descriptor is None:
            yield _by_path(self.identity.path, parts)
            return
        descriptor = self._descend(parts)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def status(self, parts: Parts) -> os.stat_result | None:
        """Return the status of what is there, of a link itself; None where nothing is.

        Nothing is also what would lie below a file. What lies behind a link: `path_not_allowed`.
        """
        with told_of(shown(parts)):
            try:
                with self._listable(parts[:-1]) as above:
                    leaf, directory = _leaf(above, parts[-1])
                    return os.stat(leaf, dir_fd=directory, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def entries(self, parts: Parts) -> dict[bytes, os.stat_result]:
        """Return what a directory has, each with its status; what goes meanwhile is left out."""
        found = {}
        with told_of(shown(parts)), self._listable(parts) as above, os.scandir(above) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found[os.fsencode(entry.name)] = entry.stat(follow_symlinks=False)
        return found

    def statuses(self, parts: Parts, names: Iterable[bytes]) -> dict[bytes, os.stat_result] | None:
        """Return the statuses of those names that a directory has; None where it lies behind a link."""
        found = {}
        with told_of(shown(parts)):
            try:
                with self._listable(parts) as above:
                    for name in names:
                        leaf, directory = _leaf(above, name)
                        with suppress(FileNotFoundError):
                            found[name] = os.stat(leaf, dir_fd=directory, follow_symlinks=False)
            except LinkError:
                return None
            except (FileNotFoundError, NotADirectoryError):
                return {}
        return found

    @contextmanager
    def open_file(self, parts: Parts) -> Iterator[int]:
        """Open a regular file for reading; raise for a link, a FIFO, a device, a directory."""
        path = shown(parts)
        with told_of(path), self._listable(parts[:-1]) as above:
            leaf, directory = _leaf(above, parts[-1])
            descriptor = os.open(leaf, READ, dir_fd=directory)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise refusal("unsupported_file", f"'{path}' is no regular file", path=path)
            yield descriptor
        finally:
            os.close(descriptor)


def _leaf(above: int | str, name: bytes) -> tuple[bytes | str, int | None]:
    """Return a name and the descriptor it is beneath; a whole path where there is none."""
    if isinstance(above, str):
        return os.path.join(above, os.fsdecode(name)), None
    return name, above


def _by_path(path: str, parts: Parts) -> str:
    """Return a path, none of whose steps is a link or a junction just now (Windows)."""
    for part in parts:
        path = os.path.join(path, os.fsdecode(part))
        if os.path.lexists(path) and os.path.realpath(path) != path:
            raise LinkError
    return path


def _below(directory: int, name: bytes) -> int:
    """Open a directory in a directory; raise LinkError for a link (Linux says ENOTDIR, macOS ELOOP)."""
    try:
        return os.open(name, DIRECTORY, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LinkError from None
        if error.errno == errno.ENOTDIR and _is_link(name, directory):
            raise LinkError from None
        raise


def _is_link(name: bytes, directory: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
