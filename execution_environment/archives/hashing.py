"""One path of a workspace: what lies there, and a file's hash as it is in one state, never in two."""

import errno
import hashlib
import os
import stat
import time
from dataclasses import dataclass

from common.errors import SystemFault, ToolError
from common.files.paths import Parts, show_path
from execution_environment.archives.hash_cache import TICK, HashCache, State, state_of
from execution_environment.sandbox.descriptors import ANY, chunks, kind, opened, opened_file
from execution_environment.sandbox.limits import CallLimits
from execution_environment.sandbox.syscalls import birth_of
from execution_environment.workspace.root import WorkspaceRoot

TRIES = 5
"""How often a file that changes while it is read is read anew."""
BATCH = 500
"""Hashes that are written down at once."""
REPLACED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV}
"""What the kernel says of a file that is not there any more, or is none."""


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a path, as it was when it was looked at."""

    parts: Parts
    status: os.stat_result
    kind: str
    """`file`, `directory`, `symlink` or `other`."""
    sha256: str | None = None
    """Of a file; None where it was not asked for."""


class Hasher:
    """Looks at paths for one call, and keeps the hashes: they are in the cache after `flush`."""

    def __init__(self, root: WorkspaceRoot, limits: CallLimits, hashes: HashCache) -> None:
        self._root = root
        self._limits = limits
        self._hashes = hashes
        self._workspace = show_path(root.base)
        self._new: list[tuple[State, str]] = []

    def look(self, parts: Parts) -> Found:
        """Return what lies at a path, a link itself; a file with its hash.

        Raises OSError where there is nothing, and `unavailable` for a file that is written all the
        time.
        """
        for _ in range(TRIES):
            self._limits.check_deadline()
            status, birth = self._status(parts)
            if not stat.S_ISREG(status.st_mode):
                return Found(parts, status, kind(status.st_mode))
            if (known := self._hashes.find(self._workspace, status, birth)) is not None:
                return Found(parts, status, "file", known)
            if (read := self._read(parts)) is not None:
                return read
        raise SystemFault(
            "unavailable",
            f"'{show_path(parts)}' is written all the time: it cannot be told what it holds",
        )

    def flush(self) -> None:
        """Have the cache know what was read."""
        self._hashes.note_all(self._workspace, self._new)
        self._new = []

    def _status(self, parts: Parts) -> tuple[os.stat_result, int | None]:
        *directory, leaf = self._root.base + parts
        with opened(self._root.descriptor, tuple(directory), ANY | os.O_DIRECTORY) as parent:
            status = os.stat(leaf, dir_fd=parent, follow_symlinks=False)
            return status, birth_of(parent, leaf)

    def _read(self, parts: Parts) -> Found | None:
        """Read a file; return None when it has changed meanwhile, or is no file any more."""
        since = time.time_ns()
        path = self._root.base + parts
        try:
            with opened_file(self._root.descriptor, path, show_path(parts)) as (file, before):
                sha256 = self._hash_of(file, before, since)
        except ToolError:  # a directory, a link or a special by now
            return None
        except OSError as error:
            if error.errno not in REPLACED:
                raise
            return None
        return None if sha256 is None else Found(parts, before, "file", sha256)

    def _hash_of(self, file: int, before: os.stat_result, since: int) -> str | None:
        """Return the hash of a file that stays as it was `before`, None if it does not."""
        if abs(since - before.st_ctime_ns) < TICK:  # another change might go unseen
            self._limits.stopping.wait(TICK / 1e9)
            return None
        digest = hashlib.sha256()
        for chunk in chunks(file, self._limits):
            digest.update(chunk)
        after, birth = os.fstat(file), birth_of(file, b"")
        if state_of(before, birth) != state_of(after, birth):
            return None
        if (state := self._hashes.settled(before, after, birth, since)) is not None:
            self._note(state, digest.hexdigest())
        return digest.hexdigest()

    def _note(self, state: State, sha256: str) -> None:
        self._new.append((state, sha256))
        if len(self._new) >= BATCH:
            self.flush()
