"""Finds what a person names: the session of a run, a session of a workspace."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from agentic.api.client import AgenticClient
from agentic.work.listing import each
from common.errors import ClientError
from common.ids import made_at
from common.runs import Run
from common.sessions import MIN_TTL, Session

LOOKED_AT = 200
"""Sessions that may be asked for a run."""
SLACK = timedelta(minutes=1)
"""By how much the clocks of two replicas may differ."""
_RUN = re.compile(r"((?P<session>ses_[0-9a-f]{32})/)?(?P<run>run_[0-9a-f]{32})")


async def find_run(client: AgenticClient, name: str) -> Run:
    """Return the run that `RUN` or `SESSION/RUN` names.

    Runs live in sessions, and a run's id does not say in which. A session is older than its runs: the
    newest that was there when the run was made is nearly always the one.
    """
    named = _RUN.fullmatch(name)
    if named is None:
        raise _refused("invalid_request", f"'{name}' is neither RUN nor SESSION/RUN")
    if named["session"]:
        return await client.run(named["session"], named["run"])
    async for session in _older_sessions(client, named["run"]):
        run = await _run_in(client, session, named["run"])
        if run is not None:
            return run
    raise _refused("run_not_found", f"None of the last {LOOKED_AT} sessions before it has {name}")


async def _older_sessions(client: AgenticClient, run_id: str) -> AsyncIterator[Session]:
    latest, asked = made_at(run_id) + SLACK, 0
    async for session in each(client.sessions):
        if session.created_at <= latest:
            yield session
            asked += 1
        if asked == LOOKED_AT:
            return


async def _run_in(client: AgenticClient, session: Session, run_id: str) -> Run | None:
    try:
        return await client.run(session.id, run_id)
    except ClientError as error:
        if error.code not in ("run_not_found", "session_not_found"):
            raise
    return None


@asynccontextmanager
async def session_on(client: AgenticClient, workspace: str) -> AsyncIterator[str]:
    """Yield a session on the workspace: one that is there already.

    A workspace that outlived its sessions gets one, and only while it is needed. Raises
    `workspace_not_found`: looking makes no workspace.
    """
    sessions = (await client.workspaces.get(workspace)).sessions
    if sessions:
        yield sessions[-1]
        return
    session = await client.create_session(workspace, ttl=MIN_TTL)
    try:
        yield session.id
    finally:
        await client.delete_session(session.id)


def _refused(code: str, detail: str) -> ClientError:
    refusal = ClientError(code, detail, hint="agentic runs lists them.")
    refusal.source = "client"
    return refusal
