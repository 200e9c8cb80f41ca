"""What the endpoints share: the parts of the service, facts about the request, common errors."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from starlette.requests import HTTPConnection

from common.approvals.reviews import Policy
from common.approvals.rules import Rule
from common.context import ExecutionContext, RequestSource, SourceKind
from common.errors import SystemFault
from common.ids import SessionId
from common.models import Digits
from common.sessions import Session
from common.tools import Tools
from orchestrator.approvals.dry_running import dry_runs
from orchestrator.approvals.rehearsing import Rehearsal
from orchestrator.approvals.verdicts import check_rules
from orchestrator.execution.catalogue import Catalogue
from orchestrator.execution.upstream import Upstream
from orchestrator.planners.protocol import Planner
from orchestrator.security.rate_limits import RateLimits
from orchestrator.starting import Origin, RunStarter
from orchestrator.store.store import Store
from orchestrator.streaming.connections import ConnectionManager
from orchestrator.streaming.settling import Settling

COMMON = (
    "malformed_request", "unauthenticated", "forbidden", "invalid_request", "rate_limited", "internal",
    "unavailable",
)  # fmt: skip
"""The errors that any endpoint may answer with."""
BODY = ("request_too_large", "unsupported_media_type", "idempotency_conflict")
"""The errors of an endpoint that takes a body."""
REHEARSING = ("overloaded", "upstream_failed", "deadline_exceeded")
"""The errors of an endpoint that makes dry runs."""
COMMAND_AGENT = "agentic-cli/"
"""How the `agentic` command introduces itself."""
MAX_AGENT = 256


@dataclass(frozen=True)
class Services:
    """The parts that the routes call, put together by the app."""

    store: Store
    planners: Mapping[str, Planner]
    catalogue: Catalogue
    connections: ConnectionManager
    limits: RateLimits
    upstream: Upstream
    approval: Policy
    """What of a run asks a person, where the run does not say."""
    call_timeout: timedelta
    """How long one tool call may take."""

    @property
    def settling(self) -> Settling:
        """What tells when runs settle."""
        return self.connections.settling


# a dependency that is a plain function would take a thread, for each request
async def _services(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def _user(request: Request) -> str:
    return str(request.state.user_id)


UserDep = Annotated[str, Depends(_user)]


async def count_run(user: UserDep, services: ServicesDep) -> None:
    """Count a run that the user wants to start."""
    await services.limits.count_run(user)


async def hold_stream(user: UserDep, services: ServicesDep) -> AsyncIterator[None]:
    """Hold one of the user's places for streams until the answer has ended."""
    async with services.limits.stream(user):
        yield


async def _session(session_id: SessionId, user: UserDep, services: ServicesDep) -> Session:
    return await services.store.sessions.get(session_id, user)


SessionDep = Annotated[Session, Depends(_session)]


@dataclass(frozen=True)
class Paging:
    """Which page of a list is wanted."""

    limit: int
    cursor: str | None


async def _paging(
    limit: Annotated[Digits, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^(ses|run)_[0-9a-f]{32}$")] = None,
) -> Paging:
    return Paging(limit, cursor)


PagingDep = Annotated[Paging, Depends(_paging)]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200)]


def origin_of(request: Request, kind: SourceKind = "rest") -> Origin:
    """Return where a request came from; `kind`: by which door."""
    agent = request.headers.get("user-agent", "")[:MAX_AGENT]
    source = RequestSource(
        kind="cli" if kind == "rest" and agent.startswith(COMMAND_AGENT) else kind,
        address=None if request.client is None else request.client.host,
        agent=agent or None,
    )
    return Origin(request.state.request_id, source, request.state.traceparent)


async def _origin(request: Request) -> Origin:
    return origin_of(request)


OriginDep = Annotated[Origin, Depends(_origin)]


def starter_of(services: Services) -> RunStarter:
    """Return what starts runs with the parts of the service."""
    return RunStarter(services.store.runs, services.planners, services.catalogue, services.approval)


async def _starter(services: ServicesDep) -> RunStarter:
    return starter_of(services)


StarterDep = Annotated[RunStarter, Depends(_starter)]


@dataclass(frozen=True)
class Rehearsals:
    """Dry runs on behalf of whoever sends a request: all of one take no longer than a run's call may."""

    origin: Origin
    services: Services

    def of(self, session: Session, run_id: str | None = None) -> Rehearsal:
        """Return what previews calls in the workspace of the sender's session."""
        seconds = self.services.call_timeout.total_seconds()
        context = ExecutionContext(
            request_id=self.origin.request_id,
            session_id=session.id,
            run_id=run_id,
            user_id=session.user_id,
            request_source=self.origin.source,
            allowed_paths_root=f"{session.user_id}/{session.workspace}",
            timeout=seconds,
        )
        dry_run = dry_runs(self.services.upstream.calls, context, self.origin.traceparent)
        return Rehearsal(dry_run, context.request_id, seconds)


async def _rehearsals(origin: OriginDep, services: ServicesDep) -> Rehearsals:
    return Rehearsals(origin, services)


RehearsalsDep = Annotated[Rehearsals, Depends(_rehearsals)]


async def require_rules(services: Services, rules: Sequence[Rule]) -> None:
    """Raise `invalid_request` for rules that would rule nothing; tools are checked while they are known."""
    tools: Tools = {}
    with suppress(SystemFault):
        tools = await services.catalogue.tools()
    await asyncio.to_thread(check_rules, rules, tools)
