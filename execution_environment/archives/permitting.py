"""Whether directories may be changed: asked before any is, for all of an archive happens or nothing."""

import errno
import os
from collections.abc import Iterable

from common.files.paths import Parts
from execution_environment.sandbox.descriptors import ANY, opened
from execution_environment.workspace.root import WorkspaceRoot


def require_changeable(root: WorkspaceRoot, directories: Iterable[Parts]) -> None:
    """Raise `permission_denied` for a directory whose mode lets nothing in or out.

    Of one that is still to be made, that above it is asked.
    """
    asked: set[Parts] = set()
    for directory in directories:
        for depth in range(len(directory), -1, -1):
            parts = directory[:depth]
            if parts in asked or _is_changeable(root, parts):
                asked.add(parts)
                break


def _is_changeable(root: WorkspaceRoot, parts: Parts) -> bool:
    """Tell whether a directory is there; raise `permission_denied` unless it may be changed."""
    with root.errors_of(parts):
        try:
            with opened(root.descriptor, root.base + parts, ANY | os.O_DIRECTORY) as directory:
                if os.access(b".", os.W_OK | os.X_OK, dir_fd=directory, effective_ids=True):
                    return True
        except (FileNotFoundError, NotADirectoryError):
            return False
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
