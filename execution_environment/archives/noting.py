"""What is known of files that were just put in their place: nobody has to read them again."""

import os
from collections.abc import Iterable
from contextlib import suppress

from common.files.paths import show_path
from execution_environment.archives.hash_cache import HashCache, State, moved
from execution_environment.archives.placing import Placed
from execution_environment.sandbox.descriptors import ANY, opened
from execution_environment.sandbox.syscalls import birth_of
from execution_environment.workspace.root import WorkspaceRoot


def note_placed(root: WorkspaceRoot, hashes: HashCache, placed: Iterable[Placed]) -> None:
    """Have the cache know the hashes of files that are still as they were staged."""
    known: list[tuple[State, str]] = []
    for item in placed:
        with suppress(OSError):  # it was taken away again: then there is nothing to know
            state = _state(root, item)
            if state is not None:
                known.append((state, item.incoming.sha256))
    hashes.note_all(show_path(root.base), known)


def _state(root: WorkspaceRoot, item: Placed) -> State | None:
    *directory, leaf = root.base + item.entry.parts
    with opened(root.descriptor, tuple(directory), ANY | os.O_DIRECTORY) as parent:
        status = os.stat(leaf, dir_fd=parent, follow_symlinks=False)
        return moved(item.incoming.written, status, birth_of(parent, leaf))
