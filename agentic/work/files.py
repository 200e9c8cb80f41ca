"""What looks at workspaces and their files: `ls`, `cat`, `rm` and `workspaces`."""

import codecs
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

import typer

from agentic.api.client import AgenticClient
from agentic.terminal.output import Output
from agentic.terminal.prompt import Prompt
from agentic.work.ending import ExitCode, new_display
from agentic.work.finding import session_on
from agentic.work.listing import each, print_list
from agentic.work.target import Target
from common.files.directories import DirectoryEntry
from common.files.printing import harmless
from common.files.workspaces import Workspace
from common.models import Page


@dataclass(frozen=True)
class Place:
    """A workspace, named by itself or by a session on it."""

    target: Target
    session_id: str | None
    workspace: str | None

    def __post_init__(self) -> None:
        """Refuse none, and both."""
        if (self.session_id is None) == (self.workspace is None):
            raise typer.BadParameter(
                "name the workspace: --workspace NAME, or --session ID"
                " (agentic workspaces lists them)"
            )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[AgenticClient, str]]:
        """Yield a client, and a session on the workspace."""
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(self.target.client())
            session_id = self.session_id
            if self.workspace is not None:
                session_id = await stack.enter_async_context(session_on(client, self.workspace))
            yield client, str(session_id)


async def ls(place: Place, path: str, *, depth: int, limit: int | None, is_json: bool) -> int:
    """List a directory."""
    async with place.opened() as (client, session_id):

        async def read(size: int, cursor: str | None) -> Page[DirectoryEntry]:
            found = await client.files.list(
                session_id, path, depth=depth, limit=size, cursor=cursor
            )
            return Page(items=found.entries, next_cursor=found.next_cursor)

        async with aclosing(each(read)) as entries:
            await print_list(entries, _entry_columns, limit=limit, is_json=is_json)
    return ExitCode.SUCCEEDED


async def cat(place: Place, path: str) -> int:
    """Print a file: its bytes as they are, on a terminal as harmless text."""
    output = Output()
    shown: Callable[[bytes], bytes] = _tamed() if output.is_terminal else bytes
    async with (
        place.opened() as (client, session_id),
        client.files.read(session_id, path) as download,
    ):
        async for piece in download.pieces():
            output.raw(shown(piece))
    return ExitCode.SUCCEEDED


def _tamed() -> Callable[[bytes], bytes]:
    """Return what makes a file's pieces harmless to a terminal; a character may lie across two."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return lambda piece: harmless(decoder.decode(piece)).encode(
        sys.stdout.encoding, "backslashreplace"
    )


async def rm(place: Place, path: str, *, is_json: bool) -> int:
    """Delete a file, or an empty directory."""
    async with place.opened() as (client, session_id):
        result = await client.files.delete(session_id, path)
    if is_json:
        Output().json(result)
    else:
        new_display().line(f"deleted: {path}")
    return ExitCode.SUCCEEDED


async def workspaces(target: Target, *, limit: int | None, is_json: bool) -> int:
    """List the user's workspaces."""
    async with target.client() as client, aclosing(each(client.workspaces.list)) as found:
        await print_list(found, _workspace_columns, limit=limit, is_json=is_json)
    return ExitCode.SUCCEEDED


async def workspace(target: Target, name: str, *, is_json: bool) -> int:
    """Print what is known of one workspace."""
    async with target.client() as client:
        found = await client.workspaces.get(name)
    if is_json:
        Output().json(found)
        return ExitCode.SUCCEEDED
    display = new_display()
    display.line("  ".join(_workspace_columns(found)))
    for session_id in found.sessions:
        display.line(f"  {session_id}")
    return ExitCode.SUCCEEDED


async def delete_workspace(target: Target, name: str, *, is_sure: bool) -> int:
    """Delete a workspace with all that is in it and the sessions on it, once somebody has said yes."""
    display = new_display()
    if not is_sure:
        display.line(f"This deletes the workspace {name}: its files, its sessions and their runs.")
        if Prompt().read("yes to go on: ") != "yes":
            display.line("It is left as it is.")
            return ExitCode.CANCELLED
    async with target.client() as client:
        for session_id in (await client.workspaces.get(name)).sessions:
            await client.delete_session(session_id)
        await client.workspaces.delete(name)
    display.line(f"deleted: {name}")
    return ExitCode.SUCCEEDED


def _entry_columns(entry: DirectoryEntry) -> tuple[str, ...]:
    name = f"{entry.path}/" if entry.type == "directory" else entry.path
    return f"{entry.size:>10}", f"{entry.modified_at:%Y-%m-%d %H:%M:%S}Z", entry.type, name


def _workspace_columns(workspace: Workspace) -> tuple[str, ...]:
    changed = f"{workspace.changed_at:%Y-%m-%d %H:%M:%S}Z"
    in_use = f"{len(workspace.sessions)} sessions"
    return (
        workspace.name,
        f"{workspace.size} bytes",
        f"{workspace.entries} entries",
        changed,
        in_use,
    )
