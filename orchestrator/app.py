"""The orchestrator put together: one root, one `async with`, everything closed in reverse."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from common.errors import SystemFault
from common.logs import get_logger
from common.web.app import build_app
from common.web.health import health_router
from common.web.server import serve
from common.web.sockets import PatientWebSocketProtocol
from orchestrator.engine.decisions import Decider
from orchestrator.engine.runner import Runner
from orchestrator.engine.steps import StepMaker
from orchestrator.engine.turns import TurnMaker
from orchestrator.engine.worker import Worker
from orchestrator.execution.catalogue import Catalogue
from orchestrator.execution.client import ExecutionClient, open_client
from orchestrator.planners.registry import PLANNERS
from orchestrator.routes import catalogue, events, runs, sessions, websocket
from orchestrator.routes.dependencies import Services
from orchestrator.security.access import Access
from orchestrator.security.rate_limits import RateLimits, RequestLimit, UserLimits
from orchestrator.settings import Settings, is_loopback
from orchestrator.shutdown import Shutdown
from orchestrator.startup import ClearStart, noted_refusal
from orchestrator.store.backend import StoreConfig
from orchestrator.store.embedded import embedded_server
from orchestrator.store.store import Store, open_store
from orchestrator.streaming.connections import ConnectionManager
from orchestrator.streaming.notifications import relay

log = get_logger(__name__)


@dataclass(frozen=True)
class Parts:
    """What lives as long as the process."""

    store: Store
    client: ExecutionClient
    catalogue: Catalogue
    connections: ConnectionManager
    worker: Worker
    limits: RateLimits


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """Connect everything.

    Raises EmbeddedServerError when the embedded store cannot start, UnknownFormat when a newer
    program has written to the store.
    """
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_redis(settings))
        config = StoreConfig(
            session_ttl=settings.session_ttl,
            lease=settings.lease,
            replica_acks=settings.replica_acks,
            user_concurrency=settings.user_concurrency,
        )
        store = await stack.enter_async_context(open_store(url, settings.key_prefix, config))
        client = await stack.enter_async_context(
            open_client(str(settings.execution_url), settings.service_token)
        )
        tools = Catalogue(client)
        steps = StepMaker(store.progress, client, settings.call_timeout)
        turns = TurnMaker(steps, settings.parallel_reads)
        runner = Runner(store, Decider(PLANNERS, tools.tools, store.runs), turns)
        worker = Worker(store, runner, settings.concurrency)
        limits = RateLimits(store.rate_limits, UserLimits(*settings.user_limits))
        stack.push_async_callback(limits.streams.close)
        yield Parts(store, client, tools, ConnectionManager(store), worker, limits)


@asynccontextmanager
async def _redis(settings: Settings) -> AsyncIterator[str]:
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
    elif settings.data_dir is not None:
        async with embedded_server(settings.data_dir) as url:
            yield url


@asynccontextmanager
async def _running(
    settings: Settings, parts: Parts, shutdown: Shutdown
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run what goes on beside the requests; at the end let runs reach their next step."""
    shutdown.arm(parts.connections.close, parts.worker.drain)
    relaying = asyncio.create_task(
        relay(parts.store.events, parts.connections.wake, parts.worker.cancel),
        name="notifications",
    )
    keeping = asyncio.create_task(parts.limits.streams.keep(), name="streams")
    tasks = [relaying, keeping]
    if settings.role != "api":
        tasks.append(asyncio.create_task(parts.worker.serve(), name="worker"))
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield tasks
    finally:
        shutdown.fire()
        for task in (relaying, keeping):  # the worker ends once it is drained, these two never do
            task.cancel()
        await asyncio.wait(tasks, timeout=shutdown.seconds_left)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a background task failed", task=task.get_name(), exc_info=task.exception())


def build(settings: Settings, shutdown: Shutdown | None = None) -> FastAPI:
    """Return the application; it connects when it starts."""
    shutdown = shutdown or Shutdown(settings.shutdown_grace)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            with noted_refusal(app.state):
                parts = await stack.enter_async_context(open_parts(settings))
            tasks = await stack.enter_async_context(_running(settings, parts, shutdown))
            app.state.parts, app.state.tasks = parts, tasks
            app.state.services = Services(
                parts.store, PLANNERS, parts.catalogue, parts.connections, parts.limits
            )
            yield

    app: FastAPI = build_app(
        title="agentic-framework orchestrator",
        source="orchestrator",
        max_body=settings.max_body,
        routers=[*_routers(settings), health_router(lambda: _ready(app, settings))],
        lifespan=lifespan,
        middleware=[Middleware(ClearStart), _access(settings), _limit(lambda: app.state.parts)],
    )
    return app


async def _ready(app: FastAPI, settings: Settings) -> dict[str, Any]:
    if any(task.done() for task in app.state.tasks):
        raise SystemFault("unavailable", "A part of the service has failed: restart it")
    await app.state.parts.store.ping()
    await app.state.parts.client.ready()
    return {"role": settings.role, "store": "redis" if settings.redis_url else "embedded"}


def _routers(settings: Settings) -> list[APIRouter]:
    if settings.role == "worker":
        return []
    return [sessions.router, runs.router, events.router, websocket.router, catalogue.router]


def _access(settings: Settings) -> Middleware:
    return Middleware(
        Access,
        api_keys=settings.api_keys,
        any_host=settings.allow_anonymous,
        is_local=is_loopback,
    )


def _limit(parts: Callable[[], Parts]) -> Middleware:
    return Middleware(RequestLimit, limits=lambda: parts().limits)


def main() -> None:
    """Serve as the environment says; end with one clear line when that cannot be done."""
    settings = Settings.load()
    shutdown = Shutdown(settings.shutdown_grace)
    serve(build(settings, shutdown), settings, on_exit=shutdown.fire, ws=PatientWebSocketProtocol)
