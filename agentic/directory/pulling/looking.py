"""What is here now at a path: a file with its hash, nothing, or something that is in the way."""

import os
import stat

from agentic.directory.names import Parts, is_forbidden, is_staged, parsed, shown
from agentic.directory.pulling.planning import Mine, Obstacle
from agentic.directory.root import Root
from agentic.directory.scanning import hashed, is_executable
from agentic.directory.state import LocalFile
from common.errors import AgenticError

_NO_DIRECTORY = {"path_not_found", "not_a_directory", "path_not_allowed"}
MAX_HELD = 10_000
"""Entries of a directory in a file's way that are looked at: one with more in it stays."""


def look(root: Root, path: str) -> Mine:
    """Return what is at a path. A file is hashed, however old its last hash is."""
    parts = parsed(path)
    if not is_directory(root, parts[:-1]):
        return _in_the_way(root, parts[:-1])
    status = root.status(parts)
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        return Obstacle(path, True, _held(root, parts))
    return _file(root, parts) if stat.S_ISREG(status.st_mode) else Obstacle(path)


def is_directory(root: Root, parts: Parts) -> bool:
    """Tell whether a directory is there, behind no link."""
    try:
        with root.directory(parts):
            return True
    except AgenticError as error:
        if error.code not in _NO_DIRECTORY:
            raise
    return False


def _in_the_way(root: Root, parts: Parts) -> Obstacle | None:
    """Return the first that is no directory of some that lie in each other; None: one is not there."""
    for length in range(1, len(parts) + 1):
        status = root.status(parts[:length])
        if status is None:
            break
        if not stat.S_ISDIR(status.st_mode):
            return Obstacle(shown(parts[:length]), stat.S_ISREG(status.st_mode))
    return None


def _file(root: Root, parts: Parts) -> LocalFile | None:
    """Return the state of a regular file; None where it has just gone."""
    try:
        sha256, status = hashed(root, parts)
    except AgenticError as error:
        if error.code != "path_not_found":
            raise
        return None
    return LocalFile(sha256, status.st_size, is_executable(status))


def content_of(root: Root, path: str, most: int) -> bytes:
    """Return a file's content, of which a byte more than `most` is read at most."""
    with root.open_file(parsed(path)) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read(most + 1)


def empty_directories(root: Root, parts: Parts) -> list[Parts]:
    """Return the directories that have nothing in them, at a path and beneath it."""
    found, pending = [], [parts]
    while pending:
        there = pending.pop()
        entries = root.entries(there)
        if not entries:
            found.append(there)
        pending += [(*there, name) for name, it in entries.items() if stat.S_ISDIR(it.st_mode)]
    return found


def _held(root: Root, parts: Parts) -> frozenset[str] | None:
    """Return the files beneath a directory; None where there is more than files, or too many."""
    found: set[str] = set()
    pending, seen = [parts], 0
    while pending:
        there = pending.pop()
        for name, status in root.entries(there).items():
            seen += 1
            can_go = stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)
            if not can_go or seen > MAX_HELD or is_forbidden(shown((name,))):
                return None
            if stat.S_ISDIR(status.st_mode):
                pending.append((*there, name))
            elif not is_staged(name):
                found.add(shown((*there, name)))
    return frozenset(found)
