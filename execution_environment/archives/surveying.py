"""What a workspace holds, with its files' hashes: those that nobody has touched come from the cache."""

import os
import stat
from collections.abc import Callable, Iterator

from common.errors import ToolError
from common.files.paths import Parts, show_path
from execution_environment.archives.hash_cache import HashCache, state_of
from execution_environment.archives.hashing import REPLACED, Found, Hasher
from execution_environment.sandbox.descriptors import DIRECTORY, kind, opened
from execution_environment.sandbox.limits import CallLimits
from execution_environment.sandbox.syscalls import birth_of
from execution_environment.sandbox.walking import Entry, scan
from execution_environment.workspace.root import WorkspaceRoot


def always(_: os.stat_result) -> bool:
    """Have every file hashed."""
    return True


class Survey:
    """One call's looks at a workspace. Work for a thread; bounded by the call's deadline."""

    def __init__(self, root: WorkspaceRoot, limits: CallLimits, hashes: HashCache) -> None:
        self._root = root
        self._limits = limits
        self._hashes = hashes
        self._workspace = show_path(root.base)
        self._hasher = Hasher(root, limits, hashes)

    def walk(
        self, start: Parts = (), is_wanted: Callable[[os.stat_result], bool] = always
    ) -> Iterator[Found]:
        """Yield what lies beneath a directory, parents before children; links are not followed.

        A file that the cache does not know is hashed if it is wanted. What vanishes meanwhile is
        passed over; a workspace that is not made yet is empty.
        """
        inodes: set[int] = set()
        try:
            for entries in self._scanned(start):
                inodes.update(entry.status.st_ino for entry in entries)
                yield from self._found(entries, is_wanted)
        finally:
            self._hasher.flush()
        if not start:
            self._hashes.keep_only(self._workspace, inodes)

    def look(self, parts: Parts) -> Found | None:
        """Return what lies at a path, a link itself; None for nothing, as behind a link.

        Raises `unavailable` for a file that somebody writes all the time.
        """
        try:
            return next(iter(self._looked_at(parts)), None)
        finally:
            self._hasher.flush()

    def _scanned(self, start: Parts) -> Iterator[list[Entry]]:
        try:
            with self._root.errors_of(start):
                yield from scan(self._root.descriptor, self._root.base, start, None, self._limits)
        except ToolError as error:
            if start or error.code != "path_not_found":
                raise

    def _found(
        self, entries: list[Entry], is_wanted: Callable[[os.stat_result], bool]
    ) -> Iterator[Found]:
        """Yield what a directory holds, each with its hash."""
        known = self._known([entry for entry in entries if stat.S_ISREG(entry.status.st_mode)])
        for entry in entries:
            found = Found(
                entry.parts, entry.status, kind(entry.status.st_mode), known.get(entry.parts)
            )
            if found.kind == "file" and found.sha256 is None and is_wanted(found.status):
                yield from self._looked_at(entry.parts)
            else:
                yield found

    def _known(self, files: list[Entry]) -> dict[Parts, str | None]:
        """Return what the cache knows of these files of one directory."""
        if not files:
            return {}
        try:
            directory = self._root.base + files[0].parts[:-1]
            with opened(self._root.descriptor, directory, DIRECTORY) as descriptor:
                states = [state_of(file.status, _birth(descriptor, file)) for file in files]
        except OSError:  # it has vanished: so will its files have
            return {}
        hashes = self._hashes.find_all(self._workspace, states)
        return {file.parts: sha256 for file, sha256 in zip(files, hashes, strict=True)}

    def _looked_at(self, parts: Parts) -> list[Found]:
        with self._root.errors_of(parts):
            try:
                return [self._hasher.look(parts)]
            except OSError as error:
                if error.errno not in REPLACED:
                    raise
                return []


def _birth(directory: int, file: Entry) -> int | None:
    """Return when a file was made; None when it has vanished: nothing is known of it then."""
    try:
        return birth_of(directory, file.parts[-1])
    except FileNotFoundError:
        return None
