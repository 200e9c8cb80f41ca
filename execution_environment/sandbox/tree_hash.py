"""The hash of a directory: over everything that is in it, so that any change of any file shows."""

import hashlib
import os
import stat
from collections.abc import Iterable

from common.files.paths import Parts
from execution_environment.sandbox.descriptors import (
    ANY,
    PERMISSIONS,
    chunks,
    kind,
    opened,
    opened_file,
)
from execution_environment.sandbox.limits import CallLimits
from execution_environment.sandbox.walking import Entry, scan


def tree_sha256(root: int, base: Parts, top: Parts, limits: CallLimits) -> str:
    """Return the hash of what lies beneath a directory: paths, kinds, modes, contents, links' targets.

    `base` leads to the workspace, `top` from there on. Of each entry only its digest is kept, so that
    a tree of any size can be told from another.
    """
    digests = [
        _digest(root, base, top, entry, limits)
        for found in scan(root, base, top, None, limits)
        for entry in found
    ]
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _digest(root: int, base: Parts, top: Parts, entry: Entry, limits: CallLimits) -> bytes:
    limits.check_deadline()
    below = b"/".join(entry.parts[len(top) :])
    facts = f"{kind(entry.status.st_mode)} {entry.status.st_mode & PERMISSIONS:04o}".encode()
    whole = hashlib.sha256(below + b"\0" + facts + b"\0")  # no name holds a NUL
    for piece in _content(root, base, entry, limits):
        whole.update(piece)
    return whole.digest()


def _content(root: int, base: Parts, entry: Entry, limits: CallLimits) -> Iterable[bytes]:
    path = base + entry.parts
    if stat.S_ISREG(entry.status.st_mode):
        with opened_file(root, path, entry.path) as (descriptor, _):
            yield from chunks(descriptor, limits)
    elif stat.S_ISLNK(entry.status.st_mode):
        with opened(root, path[:-1], ANY | os.O_DIRECTORY) as directory:
            yield os.readlink(path[-1], dir_fd=directory)
