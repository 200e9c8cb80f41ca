"""The whole stack on this machine: both services as processes, started and stopped together."""

import asyncio
import os
import re
import secrets
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import httpx

from agentic.local.ownership import HOST, StackError, free_port, note, owning, usable
from agentic.local.services import require_services
from common.processes.tether import tethered

START_TIMEOUT = 30.0
STOP_TIMEOUT = 20.0
"""Seconds; a service takes its own grace before it is killed."""
PAUSE = 0.02
LAST_LINES = 15


@dataclass(frozen=True)
class Service:
    """A running service and where it logs."""

    name: str
    process: Process
    log: Path
    log_start: int
    """Where in its log this start begins, in bytes."""

    def failure(self) -> StackError:
        """Return the error of a service that ended by itself, with its last log lines."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            text = log.read().decode(errors="replace").removesuffix("\n")
            lines = text.split("\n")[-LAST_LINES:]
        told = "\n".join(f"  {line}" for line in lines)
        return StackError(f"{self.name} ended (exit code {self.process.returncode}):\n{told}")


@dataclass(frozen=True)
class Stack:
    """Both services, ready."""

    url: str
    execution_url: str
    data_dir: Path
    service_token: str = field(repr=False)
    services: tuple[Service, ...]

    @property
    def is_up(self) -> bool:
        """Whether no service has ended."""
        return all(service.process.returncode is None for service in self.services)

    @property
    def workspaces(self) -> Path:
        """Where the workspaces are: `<user>/<workspace>` each."""
        return self.data_dir / "execution" / "workspaces"

    async def ended(self) -> StackError:
        """Wait until a service ends by itself."""
        waits = [asyncio.create_task(service.process.wait()) for service in self.services]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        ended = [service for service in self.services if service.process.returncode is not None]
        return ended[0].failure()


@asynccontextmanager
async def running_stack(
    data_dir: Path,
    port: int = 0,
    host: str = HOST,
    *,
    settings: Mapping[str, str] = MappingProxyType({}),
    orchestrator: str = "orchestrator",
    start_timeout: float = START_TIMEOUT,
    stop_timeout: float = STOP_TIMEOUT,
) -> AsyncIterator[Stack]:
    """Start both services with a fresh secret between them; yield when they are ready.

    Port 0 takes a free one; `orchestrator` is the module to serve with, `settings` are more of its own.
    Raises StackError when a service does not start, or another stack owns the directory, and
    `invalid_request` where the services are not installed. Seconds: until both are ready, and for each
    to stop before it is killed. They end with us, also where we are killed.
    """
    port, execution_port = usable(host, port), free_port()
    address = f"[{host}]" if ":" in host else host
    url, execution_url = f"http://{address}:{port}", f"http://{HOST}:{execution_port}"
    token = secrets.token_urlsafe(32)
    execution = _execution_settings(execution_port, data_dir, token)
    own = {
        **settings,
        "ORCHESTRATOR_HOST": host,
        "ORCHESTRATOR_PORT": str(port),
        "ORCHESTRATOR_DATA_DIR": str(data_dir / "orchestrator"),
        "ORCHESTRATOR_EXECUTION_URL": execution_url,
        "ORCHESTRATOR_SERVICE_TOKEN": token,
    }
    require_services()
    async with AsyncExitStack() as stack:
        owner = stack.enter_context(owning(data_dir))
        start = partial(_service, data_dir=data_dir, owner=owner, stop_timeout=stop_timeout)
        services = (
            await stack.enter_async_context(start("execution_environment", execution)),
            await stack.enter_async_context(start(orchestrator, own)),
        )
        await _wait_until_ready((execution_url, url), services, start_timeout)
        note(owner, url)
        yield Stack(url, execution_url, data_dir, token, services)


def _execution_settings(port: int, data_dir: Path, token: str) -> dict[str, str]:
    return {
        "EXEC_ENV_HOST": HOST,
        "EXEC_ENV_PORT": str(port),
        "EXEC_ENV_DATA_DIR": str(data_dir / "execution"),
        "EXEC_ENV_SERVICE_TOKEN": token,
    }


def _inherited(service: str) -> dict[str, str]:
    """Return the environment that a service inherits: keys of models are the orchestrator's alone."""
    if service != "execution_environment":
        return dict(os.environ)
    foreign = re.compile(r"ORCHESTRATOR_.*|.*_API_KEY")
    return {name: value for name, value in os.environ.items() if not foreign.fullmatch(name)}


@asynccontextmanager
async def _service(
    name: str, env: Mapping[str, str], data_dir: Path, owner: TextIO, stop_timeout: float
) -> AsyncIterator[Service]:
    log = data_dir / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        log_start = output.tell()
        process = await asyncio.create_subprocess_exec(
            *tethered(sys.executable, "-m", name),
            env={**_inherited(name), **env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(owner.fileno(),),
            start_new_session=True,  # Ctrl-C is for us: we stop the services in order
        )
    try:
        note(owner, process.pid)
        yield Service(name, process, log, log_start)
    finally:
        await _stop(process, stop_timeout)


async def _stop(process: Process, seconds: float) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _wait_until_ready(
    urls: tuple[str, ...], services: tuple[Service, ...], seconds: float
) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    async with httpx.AsyncClient(trust_env=False) as http:
        while not all([await is_ready(http, url) for url in urls]):
            for service in services:
                if service.process.returncode is not None:
                    raise service.failure()
            if asyncio.get_running_loop().time() > deadline:
                raise StackError(f"{urls[-1]} was not ready within {seconds:g} seconds")
            await asyncio.sleep(PAUSE)


async def is_ready(http: httpx.AsyncClient, url: str) -> bool:
    """Tell whether a service can do its work."""
    try:
        return (await http.get(f"{url}/health/ready")).is_success
    except httpx.TransportError:
        return False
