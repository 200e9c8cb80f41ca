"""The orchestrator put together: one root, one `async with`, everything closed in reverse."""

import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from common.web.app import build_app
from common.web.health import health_router
from common.web.protocols.sockets import PatientWebSocketProtocol
from common.web.server import serve
from orchestrator.agui import routes as agui
from orchestrator.mcp import route as mcp
from orchestrator.mcp.route import open_doors
from orchestrator.parts import Parts, PartsOpener, open_parts
from orchestrator.readiness import Facts, Readiness
from orchestrator.routes import (
    approvals,
    archive,
    catalogue,
    events,
    files,
    messages,
    plans,
    rules,
    runs,
    sessions,
    websocket,
    workspaces,
)
from orchestrator.routes.dependencies import Services
from orchestrator.security.access import Access
from orchestrator.security.rate_limits import RequestLimit
from orchestrator.settings import Settings, is_loopback
from orchestrator.shutdown import Shutdown
from orchestrator.startup import ClearStart, noted_refusal
from orchestrator.store.server.addresses import read_address
from orchestrator.streaming.notifications import relay
from orchestrator.supervisor import Supervisor

FAILURE = 1
"""Exit code of a service of which a part has failed."""


@asynccontextmanager
async def _running(
    settings: Settings, parts: Parts, shutdown: Shutdown, supervisor: Supervisor
) -> AsyncIterator[None]:
    """Run what goes on beside the requests; at the end let runs reach their next step."""
    shutdown.arm(parts.connections.close, parts.worker.drain)
    connections = parts.connections
    on_settled = connections.settling.tell
    listening = relay(parts.store.events, connections.wake, parts.worker.cancel, on_settled)
    supervisor.start("notifications", listening)
    supervisor.start("streams", parts.limits.streams.keep())
    if settings.role != "api":
        supervisor.start("worker", parts.worker.serve())
    try:
        yield
    finally:
        shutdown.fire()
        await supervisor.stop(("worker",), shutdown.seconds_left)


def _readiness(settings: Settings, parts: Parts, supervisor: Supervisor) -> Readiness:
    kind = "embedded"
    if settings.redis_url is not None:
        kind = read_address(settings.redis_url.get_secret_value()).kind
    return Readiness(
        settings.role,
        {"store": {"kind": kind}},
        {"store": parts.store.ping, "execution_environment": parts.upstream.calls.ready},
        supervisor,
    )


def build(
    settings: Settings, shutdown: Shutdown | None = None, open_parts: PartsOpener = open_parts
) -> FastAPI:
    """Return the application; it connects when it starts, as `open_parts` does."""
    shutdown = shutdown or Shutdown(settings.shutdown_grace)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            supervisor = Supervisor(shutdown.fail)
            with noted_refusal(app.state):
                parts = await stack.enter_async_context(open_parts(settings, supervisor))
            await stack.enter_async_context(_running(settings, parts, shutdown, supervisor))
            app.state.parts, app.state.services = parts, _services(settings, parts)
            app.state.readiness = _readiness(settings, parts, supervisor)
            doors = open_doors(app.state.services, settings.service_token, settings.max_body)
            stack.push_async_callback(doors.aclose)
            app.state.doors = doors
            yield

    app: FastAPI = build_app(
        title="agentic-framework orchestrator",
        source="orchestrator",
        max_body=settings.max_body,
        routers=[*_routers(settings), health_router(lambda: _ready(app))],
        lifespan=lifespan,
        middleware=[Middleware(ClearStart), _access(settings), _limit(lambda: app.state.parts)],
    )
    return app


async def _ready(app: FastAPI) -> Facts:
    readiness: Readiness = app.state.readiness
    return await readiness.facts()


def _services(settings: Settings, parts: Parts) -> Services:
    return Services(
        store=parts.store,
        planners=parts.planners,
        catalogue=parts.catalogue,
        connections=parts.connections,
        limits=parts.limits,
        upstream=parts.upstream,
        approval=settings.approval,
        call_timeout=settings.call_timeout,
    )


def _routers(settings: Settings) -> list[APIRouter]:
    if settings.role == "worker":
        return []
    rooms = (
        *(sessions, runs, approvals, plans, rules, messages, events, websocket, catalogue),
        *(files, archive, workspaces, mcp, agui),
    )
    return [room.router for room in rooms]


def _access(settings: Settings) -> Middleware:
    return Middleware(
        Access,
        api_keys=settings.api_keys,
        any_host=settings.allow_anonymous,
        is_local=is_loopback,
    )


def _limit(parts: Callable[[], Parts]) -> Middleware:
    return Middleware(RequestLimit, limits=lambda: parts().limits)


def main(open_parts: PartsOpener = open_parts) -> None:
    """Serve as the environment says; end with one clear line when that cannot be done."""
    settings = Settings.load()
    shutdown = Shutdown(settings.shutdown_grace, partial(signal.raise_signal, signal.SIGTERM))
    app = build(settings, shutdown, open_parts)
    try:
        serve(app, settings, on_exit=shutdown.fire, ws=PatientWebSocketProtocol)
    finally:
        if shutdown.has_failed:
            sys.exit(FAILURE)
