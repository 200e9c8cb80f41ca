"""Compares three things: a directory, its workspace, and what both had when they last met."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from agentic.directory.archives import Body, manifest_body
from agentic.directory.differences import read_differences
from agentic.directory.names import is_barred, is_forbidden
from agentic.directory.root import Root
from agentic.directory.scanning import Scan, scan
from agentic.directory.state import LocalFile, State
from common.errors import AgenticError, ClientError, ToolError
from common.files.archives import ArchiveResult, Difference, DifferenceCount
from common.models import Page
from common.tools import Receipt

Side = Literal["same", "here", "there", "both"]
"""Where a path has changed since both sides had the same; `both`: and differently."""
_SPECIAL = ("", False)
"""What equals no file."""


class Archives(Protocol):
    """What is needed of the client's archives."""

    def diff(self, session_id: str, manifest: Body) -> AsyncIterator[Difference | DifferenceCount]:
        """Yield where the workspace differs from a manifest, and last the counts."""
        ...

    async def put(
        self, session_id: str, archive: Body, *, force: bool = False, key: str
    ) -> ArchiveResult:
        """Send an archive, which takes effect whole or not at all."""
        ...

    async def receipts(
        self, session_id: str, call_id: str, limit: int = 200, cursor: str | None = None
    ) -> Page[Receipt]:
        """Return a page of what an archive has changed."""
        ...


class Remote(Protocol):
    """What is needed of a client."""

    @property
    def archives(self) -> Archives:
        """Return the workspaces' side of archives."""
        ...


@dataclass(frozen=True)
class Comparison:
    """The three by path. A directory in the workspace counts as nothing, as no archive has any."""

    scan: Scan
    base: dict[str, LocalFile]
    differences: dict[str, Difference]
    generation: str | None

    @property
    def here(self) -> dict[str, LocalFile]:
        """Return the directory's files."""
        return self.scan.files

    def there(self, path: str) -> LocalFile | None:
        """Return the workspace's file, None where it has none."""
        difference = self.differences.get(path)
        return self.here.get(path) if difference is None else file_of(difference)

    def side(self, path: str) -> Side:
        """Tell on which side a path has changed."""
        here, base = facts(self.here.get(path)), facts(self.base.get(path))
        there = _SPECIAL if self.is_special(path) else facts(self.there(path))
        if here == there:
            return "same"
        if here == base:
            return "there"
        return "here" if there == base else "both"

    def is_special(self, path: str) -> bool:
        """Tell whether the workspace has a link or the like there, which nothing replaces."""
        difference = self.differences.get(path)
        return difference is not None and difference.type == "other"

    @cached_property
    def sides(self) -> dict[str, Side]:
        """Return the side of every path that either has and that may be sent or taken."""
        paths = {*self.here, *self.base, *self.differences}
        return {path: self.side(path) for path in sorted(paths - self.left_alone())}

    def left_alone(self) -> set[str]:
        """Return what is neither sent nor deleted nor taken: links here, ignored, `.git` there.

        So are the workspace's files that no pull brings: nobody here has ever had them.
        """
        forbidden = {
            path
            for path in self.differences
            if is_forbidden(path)
            or (is_barred(path) and path not in self.here and path not in self.base)
        }
        return {*self.scan.skipped, *self.scan.left_alone, *forbidden}


def facts(file: LocalFile | None) -> tuple[str, bool] | None:
    """Return what two files are compared by."""
    return None if file is None else (file.sha256, file.is_executable)


def file_of(difference: Difference) -> LocalFile | None:
    """Return the file that the workspace has at a path that differs."""
    if difference.type != "file" or difference.sha256 is None:
        return None
    return LocalFile(difference.sha256, difference.size or 0, difference.is_executable)


class _Unwanted(Exception):
    """Nobody waits for the scan any more."""


async def _scanned(root: Root, state: State, tracked: Iterable[str]) -> Scan:
    """Scan the directory; read no further once nobody waits: a file may have no end."""
    stop = threading.Event()

    def read(descriptor: int, size: int) -> bytes:
        if stop.is_set():
            raise _Unwanted
        return os.read(descriptor, size)

    work = asyncio.ensure_future(asyncio.to_thread(scan, root, state.stamps, tracked, read=read))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        with suppress(_Unwanted, AgenticError):
            await work
        raise


async def compare(client: Remote, session_id: str, root: Root, state: State) -> Comparison:
    """Scan the directory and compare it with the workspace; hashes are remembered."""
    await confirm(client, session_id, state)
    known = state.known
    tracked = {**known.base, **known.pending}
    found = await _scanned(root, state, tracked)
    await asyncio.to_thread(state.save_stamps, found.stamps)
    state.notes += [note for note in found.notes if note not in state.notes]
    lines = client.archives.diff(session_id, manifest_body(found.files))
    differences: dict[str, Difference] = {}
    generation = await read_differences(lines, found.files, differences.__setitem__)
    is_known = generation is not None and generation == known.generation
    base = dict(known.base) if is_known else {}
    comparison = Comparison(found, base, differences, generation)
    settle(base, known.pending, comparison.there)
    return comparison


async def confirm(client: Remote, session_id: str, state: State) -> None:
    """Find out what became of a push whose answer this client did not live to see.

    Where its result is there, what it sent is what both had; where not, it may be too old to tell,
    and only what the workspace has just so counts (see `settle`). In a workspace that it would
    have made nothing can be told: which one that was is not known.
    """
    call = state.known.pending_call
    if call is None or state.known.generation is None:
        return
    try:
        await client.archives.receipts(session_id, call, limit=1)
    except (ClientError, ToolError):  # there is no such result, or none any more
        return
    await asyncio.to_thread(state.confirm_pending)


def call_id(session_id: str, key: str) -> str:
    """Return the id of the result of an archive that was sent with a key."""
    return f"file:{session_id}:{hashlib.sha256(key.encode()).hexdigest()}"


def settle(
    base: dict[str, LocalFile],
    pending: Mapping[str, LocalFile | None],
    there: Callable[[str], LocalFile | None],
) -> None:
    """Add to the base what a push whose answer was lost has made: where the workspace has that."""
    for path, wanted in pending.items():
        if facts(there(path)) != facts(wanted):
            continue
        if wanted is None:
            base.pop(path, None)
        else:
            base[path] = wanted
