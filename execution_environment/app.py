"""The execution environment put together: one root, one way in, everything closed in reverse."""

import asyncio
import errno
import multiprocessing
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from common import logs
from common.errors import SystemFault
from common.processes.tether import tie
from common.web.app import build_app
from common.web.auth import ServiceToken
from common.web.health import Probe, health_router
from common.web.server import serve, serve_workers
from execution_environment.archives import cache_file
from execution_environment.archives.hash_cache import HASHES
from execution_environment.bootstrap import Assembly
from execution_environment.calls.batches import Batches
from execution_environment.calls.registry import discover
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.schema import UnknownFormat
from execution_environment.one_cpu import OneCpu
from execution_environment.routes import (
    archives_in,
    archives_out,
    audit,
    files,
    tools,
    workspaces,
)
from execution_environment.routes.dependencies import Services
from execution_environment.sandbox import landlock
from execution_environment.sandbox.limits import Usage
from execution_environment.sandbox.self_test import SandboxUnavailable
from execution_environment.settings import Settings
from execution_environment.threads import ThreadPool


def build(settings: Settings, landlock_abi: int | None = None, *, one_cpu: bool = False) -> FastAPI:
    """Return the application; raises SandboxUnavailable where paths cannot be held.

    `landlock_abi` is the version that holds this process already, for those who ask how it is.
    `one_cpu`: the process is the application's own, and its threads are kept on one CPU.
    """
    return build_over(assembly_of(settings), settings, landlock_abi, one_cpu=one_cpu)


def assembly_of(settings: Settings, make_ledger: Callable[[Path], Ledger] = Ledger) -> Assembly:
    """Return the parts that the settings ask for."""
    quota = Usage(settings.workspace_quota, settings.workspace_entries)
    return Assembly(
        settings.data_dir,
        ServiceLimits(settings.max_read, settings.max_write, quota),
        ThreadPool(settings.threads, settings.backlog),
        settings.result_ttl,
        make_ledger,
        audit_retention=settings.audit_retention,
    )


_ROUTERS = (
    tools.calls,  # of which there are the most: routes are looked through in their order
    tools.router,
    files.router,
    archives_in.router,
    archives_in.changing,
    archives_out.router,
    workspaces.router,
    workspaces.changing,
    audit.router,
)


def build_over(
    parts: Assembly,
    settings: Settings,
    landlock_abi: int | None = None,
    *,
    one_cpu: bool = False,
) -> FastAPI:
    """Return the application over parts that are made already; it closes them at its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await parts.threads.run(parts.maintenance.recover)
        beside = [asyncio.create_task(parts.maintenance.run(parts.threads))]
        if one_cpu:
            beside.append(asyncio.create_task(OneCpu(settings.data_dir / "state" / "cpus").run()))
        yield
        for task in beside:
            task.cancel()
        await parts.close()

    app = build_app(
        title="agentic-framework execution environment",
        source="execution_environment",
        max_body=settings.max_body,
        routers=[*_ROUTERS, health_router(_readiness(parts, landlock_abi))],
        lifespan=lifespan,
        middleware=[Middleware(ServiceToken, token=settings.service_token)],
    )
    app.state.services = _services(parts, settings)
    return app


def _services(parts: Assembly, settings: Settings) -> Services:
    return Services(
        registry=parts.registry,
        executor=parts.executor,
        batches=Batches(parts.executor, settings.max_batch),
        downloads=parts.downloads,
        uploads=parts.uploads,
        archives_in=parts.archives_in,
        archives_out=parts.archives_out,
        removals=parts.removals,
        workspaces=parts.workspaces,
        settler=parts.settler,
        threads=parts.threads,
        audit=parts.audit,
        audit_dir=parts.audit_dir,
    )


def _readiness(parts: Assembly, landlock_abi: int | None) -> Probe:
    guards = ["openat2"] if landlock_abi is None else ["openat2", f"landlock {landlock_abi}"]

    async def ready() -> dict[str, Any]:
        try:
            await parts.threads.run(parts.sandbox.probe)
        except OSError as error:
            why = os.strerror(error.errno or errno.EIO)
            raise SystemFault(
                "unavailable", f"The data directory cannot be written: {why}"
            ) from error
        return {"guards": guards}

    return ready


SWITCH_INTERVAL = 0.00005
"""Seconds after which a thread that computes lets another one go on, Python's own being 0.005.

The event loop waits that long for each thread that computes, several times for each request.
"""


def worker() -> FastAPI:
    """Return the application of one of several processes, which their parent has restricted."""
    if (parent := multiprocessing.parent_process()) is not None and parent.pid is not None:
        tie(parent.pid)
    settings = Settings.load()
    logs.configure(settings.log_format, settings.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL)
    return build(settings, _landlock_abi(settings), one_cpu=settings.one_cpu)


def main() -> None:
    """Serve as the environment says; end with one clear line when that cannot be done."""
    settings = Settings.load()
    try:
        _prepare(settings)
        if settings.workers > 1:
            serve_workers("execution_environment.app:worker", settings, settings.workers)
            return
        sys.setswitchinterval(SWITCH_INTERVAL)
        app = build(settings, _landlock_abi(settings), one_cpu=settings.one_cpu)
    except (SandboxUnavailable, UnknownFormat, OSError, sqlite3.Error) as error:
        sys.exit(f"the data directory {settings.data_dir} cannot be used: {error}")
    serve(app, settings)


def _prepare(settings: Settings) -> None:
    """Do what is done once, before any process or thread: the Landlock policy holds all."""
    state = settings.data_dir / "state"
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    cache_file.remove(state / HASHES)
    discover()  # now, while the bytecode of the tools can still be written
    if (abi := _landlock_abi(settings)) is not None:
        landlock.restrict(settings.data_dir, landlock.interpreter_paths(), abi)
    ledger = Ledger(state / "ledger.sqlite")
    ledger.compact()
    ledger.usage.forget()
    ledger.close()


def _landlock_abi(settings: Settings) -> int | None:
    """Return the version of the Landlock policy that is put in force, None for none."""
    abi = landlock.supported_abi()
    return abi if settings.landlock == "auto" and abi >= landlock.MIN_ABI else None
