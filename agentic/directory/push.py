"""Sends what a person has changed in a directory to its workspace: all of it, or nothing."""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from agentic.directory.archives import Body, ChangedMeanwhile, Progress, archive_body
from agentic.directory.comparing import Comparison, Remote, call_id, compare
from agentic.directory.faults import refusal
from agentic.directory.kept.blobs import MAX_SIZE
from agentic.directory.names import parsed
from agentic.directory.outgoing import HINT, Plan, named, planned
from agentic.directory.pulling.finishing import finish
from agentic.directory.root import Root
from agentic.directory.state import LocalFile, State
from common.errors import AgenticError, ClientError, ToolError
from common.files.archives import ArchiveResult

ATTEMPTS = 3
"""How often a directory is looked at again because it changed while it was sent."""


@dataclass(frozen=True)
class Pushed:
    """What a push has done. `result` is null where there was nothing to send.

    `sent`: paths that were sent; `deleted`: paths that were deleted; `sent_size`: bytes of
    contents that had to go; `skipped`: links and the like, which never go.
    """

    sent: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    sent_size: int = 0
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    result: ArchiveResult | None = None


def _ignore(_: Progress) -> None:
    """Tell nobody."""


async def push(
    client: Remote,
    session_id: str,
    root: Root,
    state: State,
    *,
    force: bool = False,
    reset: bool = False,
    report: Callable[[Progress], None] = _ignore,
) -> Pushed:
    """Make the workspace have what was changed here since both had the same.

    A pull that was interrupted is finished first. With `reset` what the workspace changed and nobody
    pulled is undone, but for links and what is never sent.

    Raises `changed_elsewhere`, with the conflicts, where the workspace changed the same paths (with
    `force` its files are overwritten), and `invalid_state` where the directory does not keep still.
    `report` is called in a thread, as contents are sent.
    """
    await finish(root, state)
    return await _Push(client, session_id, root, state, report, force, reset).run()


@dataclass(frozen=True)
class _Push:
    client: Remote
    session_id: str
    root: Root
    state: State
    report: Callable[[Progress], None]
    force: bool
    reset: bool

    async def run(self) -> Pushed:
        changed = ""
        for _ in range(ATTEMPTS):
            plan = planned(await self._compare(), force=self.force, reset=self.reset)
            try:
                result = await self._send(plan)
            except ChangedMeanwhile as error:
                changed = str(error)
                continue
            await self._remember(plan)
            return _told(plan, result, self.state.notes)
        raise refusal(
            "invalid_state",
            f"'{changed}' changed again and again while it was sent",
            hint="Wait until nothing writes there, or name it in .agenticignore.",
            path=changed,
        )

    async def _compare(self) -> Comparison:
        return await compare(self.client, self.session_id, self.root, self.state)

    async def _send(self, plan: Plan) -> ArchiveResult | None:
        """Send the archive, and again with contents that turn out to be missing there."""
        if not plan.changes:
            return None
        entries, contents, key = plan.entries(), plan.contents, secrets.token_hex(16)
        await asyncio.to_thread(_remember, self.root, self.state, plan)
        call = call_id(self.session_id, key)
        await asyncio.to_thread(self.state.update, pending=plan.changes, pending_call=call)
        while True:
            body = archive_body(self.root, entries, contents, self.report)
            try:
                return await self._put(body, plan, key)
            except ClientError as error:
                more = _missing(error, plan)
                if more.keys() <= contents.keys():
                    error.hint = HINT if error.code == "changed_elsewhere" else error.hint
                    raise
                contents = {**contents, **more}

    async def _put(self, body: Body, plan: Plan, key: str) -> ArchiveResult:
        try:
            return await self.client.archives.put(self.session_id, body, force=self.force, key=key)
        except ToolError as error:
            if error.code == "file_too_large":
                _name_files(error, plan)
            raise

    async def _remember(self, plan: Plan) -> None:
        """Remember what both have now; in a workspace that was made just now, as it says itself."""
        if plan.changes and plan.comparison.generation is None:
            plan = Plan(await self._compare(), {}, {})
        await asyncio.to_thread(_remember, self.root, self.state, plan, plan.changes)


def _name_files(error: ToolError, plan: Plan) -> None:
    """Say which files are too large: the server knows contents by their hashes alone."""
    most = error.context.limit
    files = ((path, file) for path, file in plan.changes.items() if file is not None)
    paths = [path for path, file in files if most is not None and file.size > most]
    if paths:
        error.detail = f"{named(paths)}: more than the {most} bytes that the server takes of a file"
        error.hint = "Name it in .agenticignore, or have the server take larger files."
        error.add_context(path=paths[0])


def _missing(error: ClientError, plan: Plan) -> dict[str, str]:
    """Return the contents that a refused archive lacked: all, where it does not name each."""
    if error.code != "content_missing":
        return {}
    named = set(error.context.missing or ())
    is_complete = len(named) >= (error.context.actual or 0)
    files = ((path, file) for path, file in plan.changes.items() if file is not None)
    return {file.sha256: path for path, file in files if not is_complete or file.sha256 in named}


def _remember(root: Root, state: State, plan: Plan, sent: Iterable[str] = ()) -> None:
    """Remember what both have alike: what they had so before, and what was sent."""
    sides = plan.comparison.sides
    alike = [path for path, side in sides.items() if side == "same"]
    base = dict(plan.comparison.base)
    for path in (*alike, *sent):
        file = plan.comparison.here.get(path)
        if file is None:
            base.pop(path, None)
            continue
        base[path] = file
        if state.known.base.get(path) != file:
            _keep_text(root, state, path, file)
    state.update(base=base, generation=plan.comparison.generation)


def _keep_text(root: Root, state: State, path: str, file: LocalFile) -> None:
    """Keep a text for merges; one that cannot be read now, or is another, is not."""
    if file.size <= MAX_SIZE and not state.blobs.has(file.sha256):
        with suppress(AgenticError), root.open_file(parsed(path)) as descriptor:
            state.blobs.keep(file.sha256, os.read(descriptor, MAX_SIZE + 1))


def _told(plan: Plan, result: ArchiveResult | None, notes: list[str]) -> Pushed:
    sizes = {file.sha256: file.size for file in plan.changes.values() if file is not None}
    return Pushed(
        sent=[path for path, file in plan.changes.items() if file is not None],
        deleted=[path for path, file in plan.changes.items() if file is None],
        sent_size=sum(sizes[sha256] for sha256 in plan.contents),
        skipped=plan.comparison.scan.skipped,
        notes=notes,
        result=result,
    )
