"""Hashes of files that nobody has touched since: what is not in here is hashed again.

A row belongs to one state of one file, and is sealed: where the file has changed, or the row was
damaged, the seal does not fit, and the row says nothing.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from common.errors import ToolError
from execution_environment.archives.cache_file import CacheFile
from execution_environment.workspace.streams import Written

HASHES = "hashes.db"
"""The file's name. It goes at each start: after a power cut a file may have lost what was written to
it, and still look as it did before."""
MARGIN = 2.0
"""Seconds that a file must have been left alone before it is looked at: file systems tell the time in
ticks, some of two seconds, and of two changes in one tick only the first is seen."""
TICK = 20_000_000
"""Nanoseconds: twice the longest tick of a Linux file system's own clock."""
BATCH = 500
"""Files that one statement asks about."""
_LARGEST = 2**63 - 1
_TABLE = """
CREATE TABLE IF NOT EXISTS hashes (
    workspace TEXT NOT NULL, inode INTEGER NOT NULL, sha256 BLOB NOT NULL, seal BLOB NOT NULL,
    PRIMARY KEY (workspace, inode)
) WITHOUT ROWID
"""


class State(NamedTuple):
    """What tells a file from others, and from itself once it has changed; times in nanoseconds."""

    inode: int
    birth: int | None
    size: int
    modified: int
    changed: int


def state_of(status: os.stat_result, birth: int | None) -> State:
    """Return the state of a file; `birth` is None where the file system does not keep it."""
    return State(status.st_ino, birth, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def moved(staged: Written, placed: os.stat_result, birth: int | None) -> State | None:
    """Return the state of a file that we have renamed, as it is in its place.

    None unless it is as it was staged, and a change since would have given it a later time.
    """
    state = state_of(placed, birth)
    is_same = staged == Written(state.inode, state.size, state.modified)
    return state if is_same and state.modified < state.changed - TICK else None


class HashCache:
    """Shared by the threads of a process, and by all processes of a data directory.

    Workspaces are named `<user>/<workspace>`.
    """

    def __init__(self, path: Path, margin: float = MARGIN) -> None:
        """`path` is the file that it has to itself; nothing is opened before it is needed."""
        self._file = CacheFile(path, _TABLE)
        self._margin = int(margin * 1e9)

    def find(self, workspace: str, status: os.stat_result, birth: int | None) -> str | None:
        """Return the hash of a file in this very state, None where it is not known."""
        return self.find_all(workspace, [state_of(status, birth)])[0]

    def find_all(self, workspace: str, states: Sequence[State]) -> list[str | None]:
        """Return the hash of each of these files, None where it is not known."""
        rows: dict[int, tuple[object, object]] = {}
        for start in range(0, len(states), BATCH):
            inodes = [_key(state.inode) for state in states[start : start + BATCH]]
            marks = ",".join("?" * len(inodes))
            found = self._file.rows(
                "SELECT inode, sha256, seal FROM hashes"  # noqa: S608  # nothing but marks
                f" WHERE workspace = ? AND inode IN ({marks})",
                (workspace, *inodes),
            )
            rows.update((inode, (sha256, seal)) for inode, sha256, seal in found)
        return [_unsealed(workspace, state, rows.get(_key(state.inode))) for state in states]

    def settled(
        self, before: os.stat_result, after: os.stat_result, birth: int | None, since: int
    ) -> State | None:
        """Return the state of a file that was left alone while it was read, and for a while before.

        `since` is when it was looked at `before`, in nanoseconds of the wall clock. None where a
        change may have gone unseen.
        """
        state = state_of(before, birth)
        is_old = max(state.modified, state.changed) <= since - self._margin
        return state if is_old and state == state_of(after, birth) else None

    def note(
        self,
        workspace: str,
        before: os.stat_result,
        after: os.stat_result,
        birth: int | None,
        sha256: str,
        since: int,
    ) -> None:
        """Keep the hash of a file that was read between these two looks, if it is `settled`."""
        if (state := self.settled(before, after, birth, since)) is not None:
            self.note_all(workspace, [(state, sha256)])

    def note_all(self, workspace: str, hashes: Iterable[tuple[State, str]]) -> None:
        """Keep the hashes of states that `settled` or `moved` returned."""
        rows = [
            (workspace, _key(state.inode), content, _seal(workspace, state, content))
            for state, sha256 in hashes
            for content in (bytes.fromhex(sha256),)
        ]
        self._file.write("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", rows)

    def keep_only(self, workspace: str, inodes: set[int]) -> None:
        """Forget all files of a workspace but these."""
        kept = {_key(inode) for inode in inodes}
        known = self._file.rows("SELECT inode FROM hashes WHERE workspace = ?", (workspace,))
        self._file.write(
            "DELETE FROM hashes WHERE workspace = ? AND inode = ?",
            [(workspace, inode) for (inode,) in known if inode not in kept],
        )

    def forget(self, is_gone: Callable[[str], bool]) -> None:
        """Forget the workspaces that are gone; `is_gone` may raise ToolError for what is no name."""

        def is_nowhere(name: object) -> bool:
            try:
                return not isinstance(name, str) or is_gone(name)
            except ToolError:  # damaged
                return True

        known = self._file.rows("SELECT DISTINCT workspace FROM hashes", ())
        self._file.write(
            "DELETE FROM hashes WHERE workspace = ?", [row for row in known if is_nowhere(row[0])]
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _key(inode: int) -> int:
    """Return what stands for an inode's number, which may be larger than the database's numbers."""
    return inode & _LARGEST


def _seal(workspace: str, state: State, sha256: object) -> bytes:
    sealed = f"{workspace} {tuple(state)} {sha256!r}"
    return hashlib.blake2b(sealed.encode(), digest_size=16).digest()


def _unsealed(workspace: str, state: State, row: tuple[object, object] | None) -> str | None:
    """Return the hash that a row has, if it is of this state."""
    if row is None:
        return None
    sha256, seal = row
    if isinstance(sha256, bytes) and seal == _seal(workspace, state, sha256):
        return sha256.hex()
    return None
