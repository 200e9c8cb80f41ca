"""The Python client: typed, asynchronous, and it raises the services' own errors."""

from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from importlib.metadata import version
from types import TracebackType
from typing import Self

import httpx

from agentic.api.answers import raise_for_error, read_answer
from agentic.api.approvals import Approvals
from agentic.api.archives import Archives
from agentic.api.files import Files
from agentic.api.following import follow
from agentic.api.requests import Requests
from agentic.api.transport import body_of, connect, path_of
from agentic.api.workspaces import Workspaces
from common.approvals.reviews import Policy
from common.context import Access
from common.models import Items, Page
from common.plans import Plan, Turn
from common.runs import Budget, Event, MessageCreate, OnBusy, PlannerSpec, Run, RunCreate
from common.sessions import Metadata, Session, SessionCreate
from common.tools import JsonSchema, ToolSpec

AGENT = f"agentic-python/{version('agentic-framework')}"
TIMEOUT = 30.0
TRANSFER_TIMEOUT = 3600.0
"""Seconds for a whole answer, and for a transfer of any size."""


class AgenticClient(Approvals):
    """A client of one orchestrator; use it as `async with AgenticClient(url) as client`.

    Every method raises AgenticError: with the service's code, hint, outcome and request id, or
    `unavailable` (not executed) and `upstream_failed` (outcome unknown) with source `client`.
    `files`, `archives` and `workspaces` have the methods for a session's files, one by one and many
    at once, and for what there is to work on. Timeouts are in seconds.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        agent: str = AGENT,
        timeout: float = TIMEOUT,
        transfer_timeout: float = TRANSFER_TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = connect(base_url, api_key, agent, timeout, transport)
        self._requests = Requests(self._http, timeout, transfer_timeout)
        self.files = Files(self._requests)
        self.archives = Archives(self._requests)
        self.workspaces = Workspaces(self._requests)

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def create_session(
        self,
        workspace: str | None = None,
        *,
        metadata: Metadata | None = None,
        ttl: timedelta | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """Open a session on a workspace: a fresh one, or one that sessions of that name share."""
        body = body_of(SessionCreate, workspace=workspace, metadata=metadata, ttl=ttl)
        return await self._requests.create("/v1/sessions", body, Session, idempotency_key)

    async def session(self, session_id: str) -> Session:
        """Return a session."""
        return await self._requests.read(_at(session_id), Session)

    async def sessions(self, limit: int = 50, cursor: str | None = None) -> Page[Session]:
        """Return a page of the user's sessions, the newest first."""
        return await self._requests.read("/v1/sessions", Page[Session], limit=limit, cursor=cursor)

    async def delete_session(self, session_id: str, *, with_workspace: bool = False) -> None:
        """Delete a session with its runs; its workspace stays, unless it is to go as well."""
        params = {"workspace": "delete"} if with_workspace else {}
        raise_for_error(await self._requests.send("DELETE", _at(session_id), params=params))

    async def start_run(  # noqa: PLR0913 - a run's facts, each by its name
        self,
        session_id: str,
        *,
        goal: str | None = None,
        plan: Plan | None = None,
        planner: str | None = None,
        model: str | None = None,
        instructions: str | None = None,
        tools: Sequence[str] | None = None,
        output_schema: JsonSchema | None = None,
        approval: Policy | None = None,
        access: Access | None = None,
        budget: Budget | None = None,
        on_busy: OnBusy = "reject",
        idempotency_key: str | None = None,
        wait: int | None = None,
    ) -> Run:
        """Start a run for a goal or a plan. A lost answer is asked for again, safely.

        A model is one that `planners` names; it keeps to the instructions, uses those tools only,
        and its answer is JSON of the output schema. `approval` says what asks a person first. A key
        of the caller's own lets another process ask again for the same run. With `wait` the answer
        is the run as it has ended or waits for a person, or as it is after so many whole seconds.
        """
        body = body_of(
            RunCreate,
            goal=goal,
            plan=plan,
            planner=planner,
            model=model,
            instructions=instructions,
            tools=None if tools is None else list(tools),
            output_schema=output_schema,
            approval=approval,
            access=access,
            budget=budget,
            on_busy=on_busy,
        )
        path = _at(session_id, "runs")
        return await self._requests.create(path, body, Run, idempotency_key, wait)

    async def run(self, session_id: str, run_id: str) -> Run:
        """Return a run with its steps."""
        return await self._requests.read(_at(session_id, "runs", run_id), Run)

    async def runs(self, session_id: str, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        """Return a page of a session's runs, the newest first, without their steps."""
        path = _at(session_id, "runs")
        return await self._requests.read(path, Page[Run], limit=limit, cursor=cursor)

    async def turns(self, session_id: str, run_id: str) -> list[Turn]:
        """Return what a run's planner has decided, turn by turn."""
        return await self._requests.read(_at(session_id, "runs", run_id, "turns"), Items[Turn])

    async def send(
        self, session_id: str, run_id: str, text: str, idempotency_key: str | None = None
    ) -> Run:
        """Answer a run's question, or tell a model at work what to do from its next turn on.

        Raises `invalid_state` for a run that has ended or takes no messages.
        """
        path = _at(session_id, "runs", run_id, "messages")
        body = body_of(MessageCreate, text=text)
        return await self._requests.create(path, body, Run, idempotency_key)

    async def cancel_run(self, session_id: str, run_id: str) -> Run:
        """Ask a run to end."""
        path = _at(session_id, "runs", run_id, "cancel")
        return read_answer(await self._requests.send("POST", path), Run)

    async def wait(self, session_id: str, run_id: str) -> Run:
        """Return a run when it has ended, which one that waits for an answer does not."""
        async for _ in self.events(session_id, run_id):
            pass
        return await self.run(session_id, run_id)

    async def tools(self) -> list[ToolSpec]:
        """Return the tools that plans can use."""
        return await self._requests.read("/v1/tools", Items[ToolSpec])

    async def planners(self) -> list[PlannerSpec]:
        """Return the planners that a run can name."""
        return await self._requests.read("/v1/planners", Items[PlannerSpec])

    def events(
        self, session_id: str, run_id: str | None = None, after_seq: int = 0
    ) -> AsyncGenerator[Event]:
        """Yield events as they happen; with `run_id`, that run's, until it has ended.

        `text.delta` and others without a `seq` are transient: they come to those who listen at the
        time, and not again. A stream that breaks is resumed after the last event that has one.
        Raises once a dozen in a row have brought nothing.
        """
        return follow(self._requests, session_id, run_id, after_seq)

    async def ready(self) -> None:
        """Return if the orchestrator can serve runs; raise what keeps it from that."""
        raise_for_error(await self._requests.send("GET", "/health/ready"))


def _at(session_id: str, *more: str) -> str:
    return path_of("v1", "sessions", session_id, *more)
