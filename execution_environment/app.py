"""The execution environment put together: one root, one way in, everything closed in reverse."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from common.errors import SystemFault
from common.web.app import build_app
from common.web.auth import ServiceToken
from common.web.health import Probe, health_router
from common.web.server import serve
from execution_environment.executor import Executor, Maxima
from execution_environment.pool import Pool
from execution_environment.registry import Registry, discover
from execution_environment.routes import tools
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.sandbox.self_test import SandboxUnavailable
from execution_environment.settings import Settings
from execution_environment.state.locks import WorkspaceLocks


def build(settings: Settings) -> FastAPI:
    """Return the application; raises SandboxUnavailable where paths cannot be held."""
    sandbox = Sandbox(settings.data_dir)
    pool = Pool(settings.threads, settings.backlog)
    registry = Registry(discover())
    locks = WorkspaceLocks(settings.data_dir / "state" / "locks")
    maxima = Maxima(settings.max_read, settings.max_write)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        pool.close()
        sandbox.close()

    app = build_app(
        title="agentic-framework execution environment",
        source="execution_environment",
        max_body=settings.max_body,
        routers=[tools.router, health_router(_readiness(pool, sandbox))],
        lifespan=lifespan,
        middleware=[Middleware(ServiceToken, token=settings.service_token)],
    )
    app.state.registry = registry
    app.state.executor = Executor(registry, sandbox, locks, pool, maxima)
    return app


def _readiness(pool: Pool, sandbox: Sandbox) -> Probe:
    async def ready() -> dict[str, Any]:
        try:
            await pool.run(sandbox.probe)
        except OSError as error:
            raise SystemFault("unavailable", "The data directory cannot be written") from error
        return {"guards": ["openat2"]}

    return ready


def main() -> None:
    """Serve as the environment says; end with one clear line when that cannot be done."""
    settings = Settings.load()
    try:
        app = build(settings)
    except (SandboxUnavailable, OSError) as error:
        sys.exit(f"the data directory {settings.data_dir} cannot be used: {error}")
    serve(app, settings)
