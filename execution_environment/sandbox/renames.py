"""Renames: how an entry gets from one location to another, durably, and whether it has."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

from common.files.paths import Parts, show_path
from execution_environment.sandbox.descriptors import (
    ANY,
    DIRECTORY,
    make_accessible,
    opened,
)
from execution_environment.sandbox.marks import mark_at
from execution_environment.sandbox.staging import DIRECTORY_MODE, Staging
from execution_environment.sandbox.syscalls import rename_new

_ELSEWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV, errno.EACCES}
"""A directory was taken out by a later step, or by others, who may also have barred the way to it."""


_STORED = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")


# Light objects, for an archive has as many as it has files: a model of pydantic takes eight times
# the memory.
@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A leaf: in a directory beneath the root of all workspaces, or in a process's staging."""

    __pydantic_config__: ClassVar[ConfigDict] = _STORED

    leaf: bytes
    directory: Parts = ()
    process: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """One step of a change.

    Whether it has been taken is told later by its source: what was staged is there or is not, since
    nobody else makes such names; what lay in a workspace is recognised by its mark.
    """

    source: Location
    target: Location
    mark: str | None = None
    """Of a source in a workspace."""
    replaces: bool = False

    @property
    def path(self) -> str:
        """The path in the workspace that changes, for errors."""
        changed = self.source if self.target.process is not None else self.target
        # the first two are the user and the workspace
        return show_path((*changed.directory, changed.leaf)[2:])


RENAMES = TypeAdapter(list[Rename])
RENAME = TypeAdapter(Rename)
"""How the ledger keeps them, and a list one of them."""


class Renamer:
    """Takes entries from one location to another: both ends are directories held by descriptor."""

    def __init__(self, root: int, staging: Staging) -> None:
        self.root = root
        self.staging = staging

    @contextmanager
    def opened(self, location: Location, flags: int = DIRECTORY) -> Iterator[int]:
        """Open the directory that a location is in."""
        if location.process is not None:
            with self.staging.opened(location.process) as descriptor:
                yield descriptor
        else:
            with opened(self.root, location.directory, flags) as descriptor:
                yield descriptor

    def apply(self, rename: Rename) -> None:
        """Take one step; `sync` has to follow the last one."""
        with self.opened(rename.source) as source, self.opened(rename.target) as target:
            move = self._rename if rename.target.process is None else self._take_out
            move(rename, source, target)

    def sync(self, renames: Sequence[Rename]) -> None:
        """Have every directory on the disk that steps have changed: each once, after the last step.

        In between nothing needs to be: the file system's journal keeps the steps of one directory
        in order, and those of different ones are judged each by itself when they are rolled forward.
        """
        for place in dict.fromkeys(place for rename in renames for place in _changed(rename)):
            try:
                with self.opened(place) as directory:
                    os.fsync(directory)
            except OSError as error:
                if error.errno not in _ELSEWHERE:
                    raise

    def roll_forward(self, renames: Sequence[Rename]) -> None:
        """Take the steps of a change that may have been taken before, durably.

        Recovery relies on this being the same however often it is done.
        """
        for rename in renames:
            if self.is_pending(rename):
                self.apply(rename)
        self.sync(renames)

    def is_pending(self, rename: Rename) -> bool:
        """Tell whether a step has not been taken yet.

        Raises OSError (ESTALE) for one of an older program, which kept no marks, when something
        is in the place: it may be what another program has made there since.
        """
        try:
            found = self.mark(rename.source)
        except (FileNotFoundError, NotADirectoryError):
            return False
        if found is None or rename.source.process is not None:
            return found is not None
        if rename.mark is None:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return found == rename.mark

    def mark(self, location: Location) -> str | None:
        """Return the mark of what is in a location, None for nothing."""
        with self.opened(location, ANY | os.O_DIRECTORY) as directory:
            return mark_at(directory, location.leaf)

    def make_above(self, workspace: Parts) -> None:
        """Make the directory that a workspace lies in, its user's, durably.

        It is no part of any change: two first changes of one user would both want to put it there.
        """
        user, _ = workspace
        with suppress(FileExistsError):
            os.mkdir(user, mode=DIRECTORY_MODE, dir_fd=self.root)
            os.fsync(self.root)

    def _rename(self, rename: Rename, source: int, target: int) -> None:
        old, new = rename.source.leaf, rename.target.leaf
        if rename.replaces:
            os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
        else:
            rename_new(source, old, target, new)

    def _take_out(self, rename: Rename, source: int, target: int) -> None:
        """Rename into staging, what is to be deleted: a directory needs write permission for it."""
        try:
            self._rename(rename, source, target)
        except PermissionError:
            make_accessible(rename.source.leaf, source)
            self._rename(rename, source, target)


def _changed(rename: Rename) -> Iterator[Location]:
    """Yield the directories that a step changes, each as a location without a leaf."""
    yield replace(rename.target, leaf=b"")
    # What leaves staging need not be seen to have left: the two ends are one step of the file
    # system's journal, and the ledger knows what to do if it was none.
    if rename.source.process is None:
        yield replace(rename.source, leaf=b"")
