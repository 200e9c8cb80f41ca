"""Changes: the renames that put one call's work in place, and the ground they were made on."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from common.tools import Receipt
from execution_environment.sandbox.descriptors import (
    ANY,
    DIRECTORY,
    Identity,
    identity,
    make_accessible,
    opened,
    status_at,
)
from execution_environment.sandbox.marks import mark_at
from execution_environment.sandbox.paths import Parts, show_path
from execution_environment.sandbox.staging import DIRECTORY_MODE, Staging
from execution_environment.sandbox.syscalls import rename_new

ELSEWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
"""The directory that a change was made for is gone, or something else has its name."""


class Stale(Exception):
    """What the change was made from is no longer what is there: it has to be made again."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_bytes="hex", val_json_bytes="hex")


class Place(_Stored):
    """A leaf: in a directory beneath the root of all workspaces, or in a process's staging."""

    leaf: bytes
    directory: Parts = ()
    process: str | None = None


class Rename(_Stored):
    """One step of a change.

    Whether it has been taken is told later by its source: what was staged is there or is not, since
    nobody else makes such names; what lay in a workspace is recognised by its mark.
    """

    source: Place
    target: Place
    mark: str | None = None
    """Of a source in a workspace."""
    replaces: bool = False

    @property
    def path(self) -> str:
        """The path in the workspace that changes, for errors."""
        place = self.source if self.target.process is not None else self.target
        return show_path((*place.directory, place.leaf)[2:])  # those are the user and the workspace


RENAMES = TypeAdapter(list[Rename])
"""How the ledger keeps them."""


@dataclass(frozen=True)
class Guard:
    """What a place must still hold when the change is put there: `None` for nothing."""

    place: Place
    expected: Identity | None


@dataclass
class Changes:
    """Everything that one call will do to the disk, and what it tells about it."""

    renames: list[Rename] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    fate: Literal["staged", "recorded", "done"] = "staged"
    """How far it has come: whether anybody may still need what was staged."""

    def rename(
        self, source: Place, target: Place, mark: str | None = None, *, replaces: bool = False
    ) -> None:
        """Add a step."""
        self.renames.append(Rename(source=source, target=target, mark=mark, replaces=replaces))

    def leftovers(self) -> list[bytes]:
        """Return the staged entries that nobody needs any more.

        Of a change that came to nothing that is what it staged, of one that was made what it
        displaced; of one that is under way, nothing.
        """
        if self.fate == "recorded":
            return []
        ends = [item.source if self.fate == "staged" else item.target for item in self.renames]
        return [place.leaf for place in ends if place.process is not None]


class Mover:
    """Takes entries from one place to another: both ends are directories held by descriptor."""

    def __init__(self, root: int, staging: Staging) -> None:
        self.root = root
        self.staging = staging

    @contextmanager
    def opened(self, place: Place, flags: int = DIRECTORY) -> Iterator[int]:
        """Open the directory that a place is in."""
        if place.process is not None:
            with self.staging.opened(place.process) as descriptor:
                yield descriptor
        else:
            with opened(self.root, place.directory, flags) as descriptor:
                yield descriptor

    def check(self, guards: Iterable[Guard]) -> None:
        """Raise Stale unless every place holds what it held when the change was made."""
        for guard in guards:
            try:
                with self.opened(guard.place, ANY | os.O_DIRECTORY) as directory:
                    status = status_at(directory, guard.place.leaf)
            except OSError as error:
                if error.errno not in ELSEWHERE:
                    raise
                raise Stale from error
            if (None if status is None else identity(status)) != guard.expected:
                raise Stale

    def apply(self, rename: Rename) -> None:
        """Take one step, durably."""
        with self.opened(rename.source) as source, self.opened(rename.target) as target:
            move = self._rename if rename.target.process is None else self._take_out
            move(rename, source, target)

    def settle(self, rename: Rename) -> bool:
        """Take a step of a change that may have taken it before; tell whether it had not."""
        if not self.is_pending(rename):
            return False
        self.apply(rename)
        return True

    def is_pending(self, rename: Rename) -> bool:
        """Tell whether a step has not been taken yet.

        Raises OSError (ESTALE) for one of an older program, which kept no marks, when something
        is in the place: it may be what another program has made there since.
        """
        try:
            found = self.mark(rename.source)
        except FileNotFoundError:
            return False
        if found is None or rename.source.process is not None:
            return found is not None
        if rename.mark is None:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return found == rename.mark

    def mark(self, place: Place) -> str | None:
        """Return the mark of what is in a place, None for nothing."""
        with self.opened(place, ANY | os.O_DIRECTORY) as directory:
            return mark_at(directory, place.leaf)

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
        # What leaves staging need not be seen to have left: the two ends are one step of the
        # file system's journal, and the ledger knows what to do if it was none.
        os.fsync(target)
        if rename.source.process is None and source != target:
            os.fsync(source)

    def _take_out(self, rename: Rename, source: int, target: int) -> None:
        """Rename into staging, what is to be deleted: a directory needs write permission for it."""
        try:
            self._rename(rename, source, target)
        except PermissionError:
            make_accessible(rename.source.leaf, source)
            self._rename(rename, source, target)
