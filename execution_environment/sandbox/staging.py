"""Staging: what a change will put in place is made complete here first, then renamed in.

Staging lies beside the workspaces on the same mount, one directory per process. Its owner holds a
lock on the directory; a directory that nobody holds was left by a process that died.
"""

import os
import secrets
import stat
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.files.paths import Parts
from common.processes.locking import try_lock
from execution_environment.sandbox.descriptors import (
    DIRECTORY,
    NEW,
    directory_in,
    make_accessible,
    status_at,
    write_file,
)
from execution_environment.sandbox.syscalls import sync_file_system

DIRECTORY_MODE = 0o755


class Staging:
    """The staging directory of one process."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True, mode=0o700)
        self._parent = os.open(directory, DIRECTORY | os.O_CLOEXEC)
        self.process, self.descriptor = self._own()

    def _own(self) -> tuple[str, int]:
        """Make and lock a directory; another where somebody took it for one that was left."""
        while True:
            process = secrets.token_hex(8)
            os.mkdir(process, mode=0o700, dir_fd=self._parent)
            with suppress(FileNotFoundError):
                descriptor = os.open(process, DIRECTORY | os.O_CLOEXEC, dir_fd=self._parent)
                if try_lock(descriptor) and os.fstat(descriptor).st_nlink > 0:
                    return process, descriptor
                os.close(descriptor)

    @contextmanager
    def opened(self, process: str) -> Iterator[int]:
        """Open a process's staging directory; raise FileNotFoundError when it is gone."""
        if process == self.process:
            yield self.descriptor
            return
        descriptor = os.open(process, DIRECTORY | os.O_CLOEXEC, dir_fd=self._parent)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def clean(self, needed: Container[str] = ()) -> None:
        """Remove what processes that died have left, unless it is still to be put in place."""
        for process in os.listdir(self._parent):
            if process != self.process and process not in needed:
                with suppress(FileNotFoundError):  # another process was quicker
                    self._clean(process)

    def _clean(self, process: str) -> None:
        """Empty and remove a directory that nobody holds, holding it meanwhile."""
        with self.opened(process) as descriptor:
            if try_lock(descriptor):
                for entry in os.listdir(descriptor):
                    self.discard(os.fsencode(entry), descriptor)
                os.rmdir(process, dir_fd=self._parent)

    def has_ended(self, process: str) -> bool:
        """Tell whether the process that staged there has ended."""
        if process == self.process:
            return False
        try:
            with self.opened(process) as descriptor:
                return try_lock(descriptor)
        except FileNotFoundError:  # it is gone already
            return True

    def close(self) -> None:
        """Remove the directory, unless something in it is still to be put in place."""
        os.close(self.descriptor)
        with suppress(OSError):  # not empty: whoever cleans next knows whether it is needed
            os.rmdir(self.process, dir_fd=self._parent)
        os.close(self._parent)

    def add_file(
        self, chunks: Iterable[bytes], mode: int, tree: bytes | None = None, below: Parts = ()
    ) -> bytes:
        """Stage a file, durably, beneath new directories where `below` names any.

        Returns the name of the staged entry: of the file, or of the topmost new directory.
        `tree` is an entry staged before, into which the file goes. `below` has the names of the
        directories below the topmost and of the file, last.
        """
        return self._add(tree, below, chunks, mode)

    def add_directories(self, tree: bytes | None, below: Parts, *, durable: bool = True) -> bytes:
        """Stage a directory with these nested in it, or in a staged one; return its name.

        Where that need not be durable yet, `sync_all` has to follow.
        """
        return self._add(tree, below, None, 0, durable=durable)

    def create(self, name: bytes) -> int:
        """Make an empty file; return its descriptor, which the caller closes."""
        return os.open(name, NEW, mode=0o600, dir_fd=self.descriptor)

    def change_mode(self, name: bytes, mode: int) -> None:
        """Change the mode of a staged file."""
        os.chmod(name, mode, dir_fd=self.descriptor)

    def sync(self) -> None:
        """Have the names of what is staged on the disk."""
        os.fsync(self.descriptor)

    def sync_all(self) -> None:
        """Have all that is staged on the disk, and whatever else its file system has to write."""
        sync_file_system(self.descriptor)

    def new_name(self) -> bytes:
        """Return a name that nothing staged has."""
        return secrets.token_hex(16).encode()

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
            if status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
                make_accessible(entry, directory)
            pending += self._emptied(entry, directory)
            os.rmdir(entry, dir_fd=directory)

    def _emptied(self, entry: bytes, directory: int) -> list[bytes]:
        descriptor = os.open(entry, DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            children = map(os.fsencode, os.listdir(descriptor))
            return [self._hoisted(child, descriptor, directory) for child in children]
        finally:
            os.close(descriptor)

    def _hoisted(self, child: bytes, source: int, target: int) -> bytes:
        name = self.new_name()
        try:
            os.rename(child, name, src_dir_fd=source, dst_dir_fd=target)
        except PermissionError:  # a directory changes its parent: it must be writable itself
            make_accessible(child, source)
            os.rename(child, name, src_dir_fd=source, dst_dir_fd=target)
        return name

    def _add(
        self,
        tree: bytes | None,
        below: Parts,
        chunks: Iterable[bytes] | None,
        mode: int,
        *,
        durable: bool = True,
    ) -> bytes:
        """Stage nested directories `tree/below…`; the last is a file when there are chunks."""
        name = tree or self.new_name()
        try:
            self._make((name, *below), chunks, mode, durable=durable)
        except BaseException:
            if tree is None and status_at(self.descriptor, name) is not None:
                self.discard(name)
            raise
        return name

    def _make(
        self, path: Parts, chunks: Iterable[bytes] | None, mode: int, *, durable: bool
    ) -> None:
        directories = path if chunks is None else path[:-1]
        current = os.dup(self.descriptor)
        try:
            for directory in directories:
                child = directory_in(current, directory, DIRECTORY_MODE, durable=durable)
                os.close(current)
                current = child
            if chunks is not None:
                write_file(current, path[-1], chunks, mode)
            if durable:
                os.fsync(current)
        finally:
            os.close(current)
