"""The routes over a store, served on a socket as the service serves them."""

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest
from starlette.middleware import Middleware

from common.web.app import build_app
from common.web.protocols.sockets import PatientWebSocketProtocol
from common.web.server import Server, configure
from orchestrator.routes import (
    catalogue,
    events,
    messages,
    runs,
    sessions,
    websocket,
    workspaces,
)
from orchestrator.routes.dependencies import Services
from orchestrator.security.access import Access
from orchestrator.security.rate_limits import RateLimits, UserLimits
from orchestrator.settings import is_loopback
from orchestrator.streaming.connections import ConnectionManager
from tests.orchestrator.routes.planning import planners

ROOMS = (sessions, runs, messages, events, websocket, catalogue, workspaces)
ROUTERS = [room.router for room in ROOMS]
UNLIMITED = UserLimits()
SETTINGS = SimpleNamespace(host="127.0.0.1", port=0, shutdown_grace=timedelta(seconds=1))


@pytest.fixture
async def live(store):
    """Serve the routes; nobody executes runs. Ends with the test, and fails where serving failed."""
    ends = []

    async def serve(
        api_keys=None,
        protocol=PatientWebSocketProtocol,
        user_limits=UNLIMITED,
        models=(),
        upstream=None,
    ):
        access = Middleware(Access, api_keys=api_keys or {}, any_host=False, is_local=is_loopback)
        app = build_app(
            title="t", source="orchestrator", max_body=1000, routers=ROUTERS,
            lifespan=lambda _: nullcontext(), middleware=[access],
        )  # fmt: skip
        manager = ConnectionManager(store)
        limits = RateLimits(store.rate_limits, user_limits)
        app.state.services = Services(
            store, planners(*models), None, manager, limits, upstream, "never", timedelta(seconds=5)
        )
        server = Server(configure(app, SETTINGS, ws=protocol), manager.close)
        task = asyncio.create_task(server.serve())
        while not server.started:
            assert not task.done(), task.result()
            await asyncio.sleep(0.01)
        address = server.servers[0].sockets[0].getsockname()

        async def stop():
            manager.close()
            server.should_exit = True
            await task
            await manager.aclose()
            await limits.streams.close()

        ends.append(stop)
        return SimpleNamespace(
            address=address,
            base=f"127.0.0.1:{address[1]}",
            manager=manager,
            server=server,
            stop=stop,
        )

    yield serve
    for stop in ends:
        await stop()
