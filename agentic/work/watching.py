"""What looks at sessions and runs: `sessions`, `runs`, `show`, `follow` and `cancel`."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial

from agentic.api.client import AgenticClient
from agentic.terminal.output import Output
from agentic.terminal.plans import show_calls
from agentic.terminal.prompt import Prompt
from agentic.terminal.running import follow_and_show
from agentic.terminal.wording import WAITING
from agentic.work.ending import ExitCode, code_of, new_display
from agentic.work.finding import find_run
from agentic.work.listing import each, print_list
from agentic.work.persons import person_at
from agentic.work.target import Target
from common.runs import Run
from common.sessions import Session

GOAL_LENGTH = 60


async def sessions(
    target: Target, workspace: str | None, *, limit: int | None, is_json: bool
) -> int:
    """List sessions, the newest first."""
    async with target.client() as client, aclosing(_sessions(client, workspace)) as found:
        await print_list(found, _session_columns, limit=limit, is_json=is_json)
    return ExitCode.SUCCEEDED


async def runs(
    target: Target,
    session_id: str | None,
    workspace: str | None,
    *,
    is_waiting: bool = False,
    limit: int | None,
    is_json: bool,
) -> int:
    """List the runs of a session, or of all; session by session, in each the newest first.

    `is_waiting`: those that wait for a person, alone.
    """
    async with (
        target.client() as client,
        aclosing(_runs(client, session_id, workspace)) as every,
        aclosing(_waiting(every) if is_waiting else every) as found,
    ):
        await print_list(found, _run_columns, limit=limit, is_json=is_json)
    return ExitCode.SUCCEEDED


async def show(target: Target, name: str, *, is_json: bool) -> int:
    """Print a run: what it was to do, its steps, and what came of it, or waits for a person."""
    async with target.client() as client:
        run = await find_run(client, name)
        if is_json:
            Output().json(run)
            return ExitCode.SUCCEEDED
        display = new_display()
        display.run(run)
        if run.status == "awaiting_approval":
            show_calls(display, (await client.plan(run.session_id, run.id)).calls)
    return ExitCode.SUCCEEDED


async def follow(target: Target, name: str, *, is_json: bool) -> int:
    """Print a run as it goes on, from its first event to its end; return how it ended."""
    async with target.client() as client:
        run = await find_run(client, name)
        if is_json:
            return await _follow_as_json(client, run)
        ask, decide = person_at(Prompt())
        return code_of(await follow_and_show(client, new_display(), run, ask=ask, decide=decide))


async def _follow_as_json(client: AgenticClient, run: Run) -> int:
    output = Output()
    async for event in client.events(run.session_id, run.id):
        output.json(event)
    return code_of(await client.run(run.session_id, run.id))


async def cancel(target: Target, name: str, *, is_json: bool) -> int:
    """Ask a run to end."""
    async with target.client() as client:
        run = await find_run(client, name)
        told = await client.cancel_run(run.session_id, run.id)
    if is_json:
        Output().json(told)
    else:
        new_display().line(f"{told.status}: {told.id}")
    return ExitCode.SUCCEEDED


async def _sessions(client: AgenticClient, workspace: str | None) -> AsyncGenerator[Session]:
    async for session in each(client.sessions):
        if workspace in (None, session.workspace):
            yield session


async def _runs(
    client: AgenticClient, session_id: str | None, workspace: str | None
) -> AsyncGenerator[Run]:
    if session_id is not None:
        async for run in each(partial(client.runs, session_id)):
            yield run
        return
    async for session in _sessions(client, workspace):
        async for run in each(partial(client.runs, session.id)):
            yield run


async def _waiting(runs: AsyncIterator[Run]) -> AsyncGenerator[Run]:
    async for run in runs:
        if run.status in WAITING:
            yield run


def _session_columns(session: Session) -> tuple[str, ...]:
    return session.id, session.workspace, f"{session.created_at:%Y-%m-%d %H:%M:%S}Z"


def _run_columns(run: Run) -> tuple[str, ...]:
    goal = "(a plan)" if run.goal is None else run.goal
    short = goal if len(goal) <= GOAL_LENGTH else f"{goal[:GOAL_LENGTH]}…"
    return run.id, run.status, f"{run.created_at:%Y-%m-%d %H:%M:%S}Z", short
