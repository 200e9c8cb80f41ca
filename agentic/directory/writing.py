"""Changes a person's directory: complete files only, each put in place by one rename.

What is not complete lies beside its place under a name of our own (`.agentic-….tmp`), which is
never sent and can be swept away at any time.
"""

import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from agentic.directory.faults import refusal, told_of
from agentic.directory.names import Parts, is_forbidden, is_staged, shown, staged_name
from agentic.directory.root import Root

PIECE = 1024 * 1024
"""Bytes that are copied at a time."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True)
class Staged:
    """A file that is being written beside its place."""

    parts: Parts
    """Where it lies; what `replace` takes."""
    place: Parts
    """Where it goes; what an error names."""
    descriptor: int

    def write(self, piece: bytes) -> None:
        """Write a piece of its content."""
        view = memoryview(piece)
        with told_of(shown(self.place)):
            while view:
                view = view[os.write(self.descriptor, view) :]


class Writer:
    """Writes beneath a root. Raises AgenticErrors that name the path; on Windows always."""

    def __init__(self, root: Root) -> None:
        if not root.by_descriptor:
            raise refusal(
                "forbidden",
                "Files cannot be written safely here: this system cannot walk by descriptors",
                hint="push, status and run work on this system; pull on Linux or macOS.",
            )
        self._root = root

    @contextmanager
    def staging(self, parts: Parts, *, is_executable: bool) -> Iterator[Staged]:
        """Begin a file beside its place; it is durable when the context ends, gone if it raises.

        Directories on the way are made. The mode is that of what is in the place now, else what
        the umask leaves; the right to execute is as told.
        """
        self.make_directories(_allowed(parts)[:-1])
        name = staged_name()
        with self._root.directory(parts[:-1]) as directory:
            with told_of(shown(parts)):
                descriptor = os.open(name, _NEW, 0o666, dir_fd=directory)
            try:
                _take_mode(descriptor, parts[-1], directory)
                _set_executable(descriptor, is_executable)
                yield Staged((*parts[:-1], name), parts, descriptor)
                with told_of(shown(parts)):
                    os.fsync(descriptor)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)
                raise
            finally:
                os.close(descriptor)

    def replace(self, parts: Parts, staged: Parts, *, is_durable: bool = True) -> None:
        """Put a staged file in its place, at once and durably; never in that of a directory.

        Who changes many files makes them durable by `sync`, once for each directory.
        """
        with told_of(shown(parts)), self._root.directory(_allowed(parts)[:-1]) as directory:
            os.rename(staged[-1], parts[-1], src_dir_fd=directory, dst_dir_fd=directory)
            if is_durable:
                os.fsync(directory)

    def remove(self, parts: Parts, *, is_durable: bool = True) -> None:
        """Remove a file, or a link itself; all is well where nothing is there."""
        if self._root.status(_allowed(parts)) is None:
            return
        with told_of(shown(parts)), self._root.directory(parts[:-1]) as directory:
            with suppress(FileNotFoundError):
                os.unlink(parts[-1], dir_fd=directory)
            if is_durable:
                os.fsync(directory)

    def sync(self, parts: Parts) -> None:
        """Make durable what was placed in a directory and removed from it."""
        with self._root.directory(parts) as directory, told_of(shown(parts)):
            os.fsync(directory)

    def remove_empty_parents(self, parts: Parts) -> None:
        """Remove the directories above a path that have nothing in them, never DIR itself."""
        above = parts[:-1]
        while above:
            with self._root.directory(above[:-1]) as directory:
                try:
                    os.rmdir(above[-1], dir_fd=directory)
                except OSError:  # it has something in it, is in use, or is gone
                    return
            above = above[:-1]

    def set_executable(self, parts: Parts, is_executable: bool) -> None:
        """Give the right to execute to those who may read, or take it from all.

        A file that has other names gets a copy in its place: they may lie outside the directory.
        """
        with self._root.open_file(_allowed(parts)) as descriptor, told_of(shown(parts)):
            if os.fstat(descriptor).st_nlink == 1:
                _set_executable(descriptor, is_executable)
                os.fsync(descriptor)
                return
            with self.staging(parts, is_executable=is_executable) as staged:
                while piece := os.read(descriptor, PIECE):
                    staged.write(piece)
            self.replace(parts, staged.parts)

    def make_directories(self, parts: Parts) -> None:
        """Make a directory and those above it, where they are not there; none of them is a link."""
        with self._root.directory(parts, is_made=True):
            """Every step is a directory."""

    def is_case_blind(self) -> bool:
        """Tell whether the file system here takes names for one that Unicode folds together.

        Found by a file of ours, looked for under another spelling: systems differ by volume.
        """
        name = staged_name("\u00e9".encode())
        with told_of("."), self._root.directory(()) as directory:
            os.close(os.open(name, _NEW, 0o600, dir_fd=directory))
            try:
                return any(_is_there(one, directory) for one in _spellings(os.fsdecode(name)))
            finally:
                os.unlink(name, dir_fd=directory)

    def sweep(self, parts: Parts) -> None:
        """Remove what was left incomplete in a directory, by a command that was killed."""
        with self._root.directory(parts) as directory, told_of(shown(parts)):
            for name in filter(is_staged, map(os.fsencode, os.listdir(directory))):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)


def _allowed(parts: Parts) -> Parts:
    """Return the parts; raise for a `.git` and the like, whoever asked for it."""
    reason = is_forbidden(shown(parts))
    if reason is not None:
        raise refusal("path_not_allowed", f"'{shown(parts)}' is never written: {reason}")
    return parts


def _take_mode(descriptor: int, name: bytes, directory: int) -> None:
    """Take over the mode of the file in the place: what only the owner could read stays so."""
    with suppress(FileNotFoundError):
        now = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISREG(now.st_mode):
            os.fchmod(descriptor, stat.S_IMODE(now.st_mode) & 0o777)


def _set_executable(descriptor: int, is_executable: bool) -> None:
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    wanted = mode & ~0o111 | ((mode & 0o444) >> 2 if is_executable else 0)
    if wanted != mode:
        os.fchmod(descriptor, wanted)


def _spellings(name: str) -> tuple[str, str]:
    return name.upper(), unicodedata.normalize("NFD", name)


def _is_there(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
