"""A person's directory and the workspace that goes with it: what the commands for both share."""

import os
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from pydantic import TypeAdapter, ValidationError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from agentic.api.client import AgenticClient
from agentic.directory import archives
from agentic.directory.faults import refusal
from agentic.directory.root import Root
from agentic.directory.state import VARIABLE, State, opened_state, state_directory
from agentic.local.ownership import is_data
from agentic.terminal.output import Output
from agentic.terminal.show import Display
from agentic.work.target import Target
from common.errors import ClientError
from common.ids import Name
from common.sessions import Session

SHOWN = 10
"""Paths of a kind that are named; of more their number is told."""
_NAME = TypeAdapter(Name)
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True)
class Here:
    """A directory, a server, and the workspace there: the one that is named, or is remembered."""

    target: Target
    directory: Path
    workspace: str | None = None

    def __post_init__(self) -> None:
        """Refuse what nobody means to send: a whole file system, all of a person's, a stack's data.

        And what no workspace is called: a variable of a script's that is not set, say.
        """
        if self.workspace is not None:
            require_name(self.workspace)
        try:
            real = self.directory.resolve()
        except OSError as error:  # the working directory was removed beneath its shell
            raise typer.BadParameter(
                f"{self.directory} cannot be used: {error.strerror}"
            ) from error
        if real in (Path(os.sep).resolve(), Path.home().resolve()):
            raise typer.BadParameter(f"{real} is not one project's: name a directory beneath it")
        if any(map(is_data, (real, *real.parents))):
            raise typer.BadParameter(
                f"{real} is in the data directory of a stack, which changes it"
            )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Root, State]]:
        """Yield the directory and what is remembered of it.

        What is to be noted of that is printed first: who reads that the workspace is forgotten can
        still end a push. What comes up later is printed at the end, however that is.
        """
        with Root(self.directory) as root:
            _require_apart(Path(root.identity.path), state_directory().resolve())
            async with opened_state(root, self.target.server, self.target.api_key) as state:
                print_notes(state.notes)
                told = len(state.notes)
                try:
                    yield root, state
                finally:
                    print_notes(state.notes[told:])

    async def session(self, client: AgenticClient, state: State, *, is_made: bool = True) -> str:
        """Return a session on the workspace: the last one, another that is there, or a new one.

        Where no workspace is made (`is_made`), raises `workspace_not_found` for one that is not
        there, and `invalid_state` where none is known.
        """
        name = self.workspace or state.known.workspace
        if name is None and not is_made:
            raise _nothing_known()
        if name is not None and name == state.known.workspace:
            session = await _living(client, state.known.session_id)
            if session is not None and session.workspace == name:
                return session.id
        sessions = await _sessions_on(client, name, is_made=is_made)
        if sessions:
            state.update(workspace=name, session_id=sessions[-1])
            return sessions[-1]
        return (await self.new_session(client, state)).id

    async def new_session(self, client: AgenticClient, state: State) -> Session:
        """Open a session on the workspace, of which the name is remembered before it is made."""
        name = self.workspace or state.known.workspace or fresh_name(self.directory)
        state.update(workspace=name)
        session = await client.create_session(name)
        state.update(session_id=session.id)
        return session


def require_name(workspace: str) -> None:
    """Refuse what no workspace is called."""
    try:
        _NAME.validate_python(workspace)
    except ValidationError as error:
        raise typer.BadParameter(
            f"'{workspace}' is no workspace's name: up to 63 of a-z, 0-9, '-' and '_'"
        ) from error


def _require_apart(directory: Path, state: Path) -> None:
    """Raise `invalid_request` where what is remembered would be sent, or could be written by a pull."""
    if state.is_relative_to(directory) or directory.is_relative_to(state):
        raise refusal(
            "invalid_request",
            f"'{directory}' and '{state}', where the state of all directories is kept, overlap",
            hint=f"Name another directory, or keep the state elsewhere: {VARIABLE}.",
        )


def fresh_name(directory: Path) -> str:
    """Return a name for a directory's workspace, as others will hardly choose it."""
    words = _NOT_IN_NAMES.sub("-", os.path.basename(os.path.realpath(directory)).lower())
    return f"{words.strip('-_')[:40] or 'directory'}-{secrets.token_hex(3)}"


async def _living(client: AgenticClient, session_id: str | None) -> Session | None:
    if session_id is None:
        return None
    try:
        return await client.session(session_id)
    except ClientError as error:
        if error.code != "session_not_found":
            raise
    return None


async def _sessions_on(client: AgenticClient, name: str | None, *, is_made: bool) -> list[str]:
    if name is None:
        return []
    try:
        return (await client.workspaces.get(name)).sessions
    except ClientError as error:
        if error.code != "workspace_not_found" or not is_made:
            raise
    return []


def _nothing_known() -> ClientError:
    unknown = ClientError(
        "invalid_request",
        "No workspace goes with this directory yet",
        hint="agentic push makes one; --workspace NAME takes one that is there.",
    )
    unknown.source = "client"
    return unknown


def print_notes(notes: list[str]) -> None:
    """Say on standard error what a person should know."""
    display = Display(Output(stderr=True))
    for note in notes:
        display.line(f"note: {note}", "yellow")


def listed(paths: list[str], what: str) -> list[str]:
    """Return a line for each of the first paths, and one for the others."""
    lines = [f"{what}: {path}" for path in paths[:SHOWN]]
    return lines + ([f"{what}: {len(paths) - SHOWN} more"] if len(paths) > SHOWN else [])


def counted(number: int, what: str) -> str:
    """Return so many of them in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@contextmanager
def progress_bar() -> Iterator[Callable[[archives.Progress], None]]:
    """Yield what shows how far a push has come, on a terminal; it may be called in a thread."""
    console = Output(stderr=True)
    columns = (TextColumn("sending"), BarColumn(), DownloadColumn(), TextColumn("{task.fields[n]}"))
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as shown:
        task = shown.add_task("", total=None, n="")

        def report(progress: archives.Progress) -> None:
            files = f"{progress.files}/{progress.total_files} files"
            shown.update(task, total=progress.total_size or None, completed=progress.size, n=files)

        yield report
