"""Fixtures for what both services share."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import uvicorn

from common.web.app import build_app
from common.web.health import health_router
from common.web.protocols.patience import HeaderTimeoutProtocol
from tests.common.serving import Serving, router


@asynccontextmanager
async def _lifespan(_):
    yield


@pytest.fixture
async def serve():
    """Serve with some seconds of patience, the production's unless they are given."""
    ends = []

    async def start(keep_alive=30.0, **times):
        gate = asyncio.Event()

        def is_kept():
            held = server.server_state.connections
            return any(connection.transport.get_write_buffer_size() for connection in held)

        protocol = type("Hasty", (HeaderTimeoutProtocol,), times)
        app = build_app(
            title="test", source="orchestrator", max_body=100,
            routers=[router(gate, is_kept), health_router(dict)], lifespan=_lifespan,
        )  # fmt: skip
        config = uvicorn.Config(
            app, port=0, http=protocol, ws="none", timeout_keep_alive=keep_alive, log_config=None,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        serving = Serving(server, gate)
        ends.append((serving, task))
        return serving

    yield start
    for serving, task in ends:
        serving.end()
        await task
