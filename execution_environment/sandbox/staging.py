"""Staging: what a change will put in place is made complete here first, then renamed in.

Staging lies beside the workspaces on the same mount, one directory per process. Its owner holds a
lock on the directory; a directory that nobody holds was left by a process that died.
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from execution_environment.sandbox.descriptors import DIRECTORY, PERMISSIONS
from execution_environment.sandbox.names import Parts

DIRECTORY_MODE = 0o755
CHUNK = 1024 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Staging:
    """The staging directory of one process."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True, mode=0o700)
        self._parent = os.open(directory, DIRECTORY | os.O_CLOEXEC)
        self._name = secrets.token_hex(8).encode()
        os.mkdir(self._name, mode=0o700, dir_fd=self._parent)
        self.descriptor = os.open(self._name, DIRECTORY | os.O_CLOEXEC, dir_fd=self._parent)
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)

    def clean(self) -> None:
        """Remove what processes that died have left behind."""
        for name in map(os.fsencode, os.listdir(self._parent)):
            if name != self._name and self._is_abandoned(name):
                self.discard(name, self._parent)

    def _is_abandoned(self, name: bytes) -> bool:
        descriptor = os.open(name, DIRECTORY | os.O_CLOEXEC, dir_fd=self._parent)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def close(self) -> None:
        """Remove the directory."""
        os.close(self.descriptor)
        self.discard(self._name, self._parent)
        os.close(self._parent)

    def add_file(self, chunks: Iterable[bytes], mode: int, parents: Parts = ()) -> bytes:
        """Stage a file, durably, beneath new directories where `parents` names any.

        Returns the name of the staged entry: of the file, or of the topmost new directory.
        `parents` has the names of the directories below that one and of the file, last.
        """
        return self._staged(lambda name: self._make(name, parents, chunks, mode))

    def add_directories(self, below: Parts) -> bytes:
        """Stage a directory with these nested in it; return its staged name."""
        return self._staged(lambda name: self._make(name, below, None, 0))

    def discard(self, name: bytes, directory: int | None = None) -> None:
        """Remove a staged entry, however deep: what is in it is hoisted up, level by level."""
        directory = self.descriptor if directory is None else directory
        pending = [name]
        while pending:
            entry = pending.pop()
            status = os.stat(entry, dir_fd=directory, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                os.unlink(entry, dir_fd=directory)
                continue
            pending += self._emptied(entry, directory)
            os.rmdir(entry, dir_fd=directory)

    def _emptied(self, entry: bytes, directory: int) -> list[bytes]:
        hoisted: list[bytes] = []
        descriptor = os.open(entry, DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            for child in map(os.fsencode, os.listdir(descriptor)):
                name = secrets.token_hex(16).encode()
                os.rename(child, name, src_dir_fd=descriptor, dst_dir_fd=directory)
                hoisted.append(name)
        finally:
            os.close(descriptor)
        return hoisted

    def _staged(self, make: Callable[[bytes], None]) -> bytes:
        name = secrets.token_hex(16).encode()
        try:
            make(name)
        except BaseException:
            if os.access(name, os.F_OK, dir_fd=self.descriptor, follow_symlinks=False):
                self.discard(name)
            raise
        return name

    def _make(self, name: bytes, below: Parts, chunks: Iterable[bytes] | None, mode: int) -> None:
        """Make nested directories `name/below…`; the last is a file when there are chunks."""
        *directories, last = (name, *below)
        current = os.dup(self.descriptor)
        try:
            for directory in directories if chunks is not None else (*directories, last):
                os.mkdir(directory, mode=DIRECTORY_MODE, dir_fd=current)
                child = os.open(directory, DIRECTORY | os.O_CLOEXEC, dir_fd=current)
                os.fsync(current)
                os.close(current)
                current = child
            if chunks is not None:
                _write_file(current, last, chunks, mode)
            os.fsync(current)
        finally:
            os.close(current)


def _write_file(directory: int, name: bytes, chunks: Iterable[bytes], mode: int) -> None:
    descriptor = os.open(name, _NEW, mode=0o600, dir_fd=directory)
    try:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[os.write(descriptor, view) :]
        os.fchmod(descriptor, mode & PERMISSIONS)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
