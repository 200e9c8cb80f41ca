"""Changes: what one call will rename into place, and whether the ground is still as it was."""

import os
from dataclasses import dataclass

from common.tools import Receipt
from execution_environment.sandbox.descriptors import (
    ANY,
    DIRECTORY,
    Identity,
    identity,
    opened,
    status_at,
)
from execution_environment.sandbox.names import Parts
from execution_environment.sandbox.staging import Staging
from execution_environment.sandbox.syscalls import rename_new


class Stale(Exception):
    """What the change was made from is no longer what is there: it has to be made again."""


@dataclass(frozen=True)
class Change:
    """One staged entry and its place. `replaces` is what was there, None for nothing."""

    staged: bytes
    parent: Parts
    """Directory that the entry goes to, beneath the root that holds all workspaces."""
    leaf: bytes
    replaces: Identity | None
    receipt: Receipt


def check(root: int, change: Change) -> None:
    """Raise Stale unless the place is as it was when the change was staged."""
    try:
        with opened(root, change.parent, ANY | os.O_DIRECTORY) as parent:
            status = status_at(parent, change.leaf)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Stale from error
    if (None if status is None else identity(status)) != change.replaces:
        raise Stale


def apply(root: int, staging: Staging, change: Change) -> None:
    """Rename the staged entry into place, durably."""
    with opened(root, change.parent, DIRECTORY) as parent:
        if change.replaces is None:
            try:
                rename_new(staging.descriptor, change.staged, parent, change.leaf)
            except FileExistsError as error:
                raise Stale from error
        else:
            os.rename(change.staged, change.leaf, src_dir_fd=staging.descriptor, dst_dir_fd=parent)
        os.fsync(parent)
