"""Diff: what a pull would make of the directory, as unified diffs that a person can read.

All of it is bounded, whatever the workspace holds: what is large, binary or too much is told in a
line instead of shown.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from agentic.api.client import AgenticClient
from agentic.directory.kept.blobs import MAX_SIZE
from agentic.directory.pulling.asking import Files, changes, take
from agentic.directory.pulling.finishing import finish
from agentic.directory.pulling.incoming import Theirs
from agentic.directory.pulling.looking import content_of, look
from agentic.directory.pulling.staging import Staging
from agentic.directory.root import Root
from agentic.directory.state import LocalFile, State
from common.files.hunks import TooLong, hunks
from common.files.printing import harmless

MAX_FETCHED = 32 * 1024 * 1024
MAX_SHOWN = 1024 * 1024
PATIENCE = 10.0
"""Bytes that are fetched, characters of hunks, and seconds of comparing, of all files together."""

Change = Literal["new", "changed", "mode", "deleted"]


@dataclass(frozen=True)
class FileDiff:
    """What a pull would make of one file: `mine` is what is here, `theirs` the workspace's."""

    path: str
    mine: LocalFile | None
    theirs: LocalFile | None
    hunks: str | None = None
    """None where they are not shown: `reason` says why."""
    reason: str | None = None

    @property
    def change(self) -> Change:
        """Return what happens to the file."""
        if self.mine is None:
            return "new"
        if self.theirs is None:
            return "deleted"
        return "mode" if self.mine.sha256 == self.theirs.sha256 else "changed"

    def text(self) -> str:
        """Return it for a terminal: nothing in it can steer that."""
        summary = f"{self.change}: {self.path}{self._details()}\n"
        if not self.hunks:
            return harmless(summary)
        old = "/dev/null" if self.mine is None else f"a/{self.path}"
        new = "/dev/null" if self.theirs is None else f"b/{self.path}"
        return harmless(f"{summary}--- {old}\n+++ {new}\n{self.hunks}")

    def _details(self) -> str:
        before, after = self.mine, self.theirs
        told = [] if self.reason is None else [self.reason]
        if after is not None and after.is_executable != (before and before.is_executable):
            told += ["executable"] if after.is_executable else []
            told += ["no longer executable"] if before and before.is_executable else []
        return f" ({', '.join(told)})" if told else ""


@dataclass(frozen=True)
class Diff:
    """What the workspace changed, by path, against what is here; `skipped`: links, `.git` and the like."""

    files: list[FileDiff]
    skipped: list[str]
    theirs: Theirs
    """All of it, as it was told: what a pull takes that is to take just this."""

    def text(self) -> Iterator[str]:
        """Yield the diffs for a terminal: nothing in them can steer it."""
        yield from (file.text() for file in self.files)
        yield from (harmless(f"left out: {path}\n") for path in self.skipped)


async def diff(client: AgenticClient, session_id: str, root: Root, state: State) -> Diff:
    """Compare what the workspace changed since the last push or pull with what is here.

    Nothing is changed, but that an interrupted pull is finished; what is here alike already is left
    out.
    """
    await finish(root, state)
    base, theirs = await changes(client, session_id, state.known)
    pairs = await asyncio.to_thread(_differing, root, base, theirs)
    staging = Staging(state.place / "shown")
    await asyncio.to_thread(staging.begin)
    try:
        await take(client, session_id, (base, theirs), _small(pairs), staging)
        files = await asyncio.to_thread(_Comparing(root, staging).compare, pairs)
    finally:
        await asyncio.to_thread(staging.clear)
    return Diff(files, theirs.left_out, theirs)


Pair = tuple[LocalFile | None, LocalFile | None]
"""Mine and theirs."""


def _differing(root: Root, base: Files, theirs: Theirs) -> dict[str, Pair]:
    """Return the files that differ, by path; what is here and no file counts as nothing."""
    found: dict[str, Pair] = {}
    for path, there in sorted(theirs.files.items()):
        here = look(root, path)
        mine = here if isinstance(here, LocalFile) else None
        if there not in (mine, base.get(path)):
            found[path] = mine, there
    return found


def _small(pairs: dict[str, Pair]) -> dict[str, LocalFile]:
    """Return the files whose contents are fetched to be compared."""
    wanted, room = {}, MAX_FETCHED
    for path, (mine, theirs) in pairs.items():
        if theirs is None or theirs.size > MAX_SIZE:
            continue
        is_known = mine is not None and mine.sha256 == theirs.sha256
        if not is_known and (room := room - theirs.size) >= 0:
            wanted[path] = theirs
    return wanted


class _Comparing:
    """Compares files until what is shown is enough, or it took too long."""

    def __init__(self, root: Root, staging: Staging) -> None:
        self._root = root
        self._staging = staging
        self._room = MAX_SHOWN
        self._end = time.monotonic() + PATIENCE

    def compare(self, pairs: dict[str, Pair]) -> list[FileDiff]:
        """Return a diff of each pair."""
        return [self._compared(path, *pair) for path, pair in pairs.items()]

    def _compared(self, path: str, mine: LocalFile | None, theirs: LocalFile | None) -> FileDiff:
        reason = self._why_not(mine, theirs)
        if reason is not None:
            return FileDiff(path, mine, theirs, reason=reason)
        old = b"" if mine is None else content_of(self._root, path, MAX_SIZE)
        new = self._their_content(old, mine, theirs)
        try:
            found = hunks(old.decode(), new.decode())
        except UnicodeDecodeError:
            return FileDiff(path, mine, theirs, reason="binary")
        except TooLong:
            return FileDiff(path, mine, theirs, reason="too long to compare")
        if "\0" in found:
            return FileDiff(path, mine, theirs, reason="binary")
        self._room -= len(found)
        return FileDiff(path, mine, theirs, hunks=found)

    def _why_not(self, mine: LocalFile | None, theirs: LocalFile | None) -> str | None:
        if max(file.size for file in (mine, theirs) if file is not None) > MAX_SIZE:
            return "too large to compare"
        is_here = theirs is None or (mine is not None and mine.sha256 == theirs.sha256)
        is_known = is_here or (theirs is not None and self._staging.has(theirs))
        if not is_known or self._room < 0 or time.monotonic() > self._end:
            return "too much to show"
        return None

    def _their_content(self, mine: bytes, was: LocalFile | None, theirs: LocalFile | None) -> bytes:
        if theirs is None:
            return b""
        if was is not None and was.sha256 == theirs.sha256:
            return mine
        return b"".join(self._staging.read(theirs.sha256))
