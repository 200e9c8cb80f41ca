"""Three orchestrators on one store, and one execution environment, as processes."""

import asyncio
import contextlib
import hashlib
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.system.chaos.load import USERS
from tests.system.chaos.proxy import Gate, Proxy
from tests.system.services import Service, execution_environment, orchestrator

REPLICAS = 3
LEASE = 2.0
SLOWNESS = 0.2
"""Seconds that a call takes on its way, on average: a run has to last for something to befall it."""


@dataclass(frozen=True)
class Deployment:
    """What clients talk to, and what befalls it."""

    directory: Path
    execution: Service
    orchestrators: list[Service]

    @property
    def urls(self) -> list[str]:
        """Where the replicas answer."""
        return [service.url for service in self.orchestrators]

    @property
    def services(self) -> list[Service]:
        """Every process that may be asked to end."""
        return [self.execution, *self.orchestrators]

    @property
    def workspaces(self) -> Path:
        """Where the effects can be seen."""
        return self.directory / "data/workspaces"


def key_of(user: str) -> str:
    """Return a user's API key."""
    return f"key-of-{user}"


def _api_keys() -> str:
    return ",".join(f"{hashlib.sha256(key_of(user).encode()).hexdigest()}:{user}" for user in USERS)


async def slow(_chunk: bytes) -> None:
    """Let everything through, in its time."""
    await asyncio.sleep(random.uniform(0, 2 * SLOWNESS))  # noqa: S311  # no secret


@contextlib.asynccontextmanager
async def deployed(
    directory: Path,
    redis_url: str,
    tree: Path | None = None,
    replicas: int = REPLICAS,
    gate: Gate = slow,
    **env: str,
) -> AsyncIterator[Deployment]:
    """Yield a deployment that serves, from another tree where one is named; end it, paused or not."""
    execution = execution_environment(directory, EXEC_ENV_LOG_LEVEL="warning")
    async with Proxy(execution.port, gate).serving() as way:
        settings = {
            "ORCHESTRATOR_EXECUTION_URL": f"http://127.0.0.1:{way.port}",
            "ORCHESTRATOR_REDIS_URL": redis_url,
            "ORCHESTRATOR_API_KEYS": _api_keys(),
            "ORCHESTRATOR_LEASE": str(LEASE),
            "ORCHESTRATOR_SHUTDOWN_GRACE": "2",
            "ORCHESTRATOR_LOG_LEVEL": "warning",
            **env,
        }
        made = [
            orchestrator(directory / f"orchestrator-{n}", execution, **settings)
            for n in range(replicas)
        ]
        deployment = Deployment(directory, execution, made)
        try:
            for service in deployment.services:
                service.tree = tree
            await _start(deployment.services)
            yield deployment
        finally:
            for service in deployment.services:
                _end(service)


async def _start(services: list[Service]) -> None:
    """Start services side by side; raise what kept one from it once all have tried."""
    tried = await asyncio.gather(
        *(asyncio.to_thread(service.start) for service in services), return_exceptions=True
    )
    for failure in tried:
        if isinstance(failure, BaseException):
            raise failure


def _end(service: Service) -> None:
    if service.process is not None:
        service.process.send_signal(signal.SIGCONT)
        service.kill()
