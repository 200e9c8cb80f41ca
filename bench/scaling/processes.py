"""One process and two of each service: what a second one brings.

Each number has a stack of its own, both are up, and take turns.
"""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp

from agentic.local.ownership import HOST, free_port
from agentic.local.stack import Stack, running_stack
from bench.processes import store_socket
from bench.report import Line, Report
from bench.rounds import Requests, at_once
from bench.runs import whole_run
from bench.ways.ours import Ours, straight
from bench.ways.serving import serving
from bench.ways.way import CALLERS, PLACES, prepare

EACH = 10
WORKERS = "EXEC_ENV_WORKERS"


async def measure_processes(directory: Path, rounds: int) -> Report:
    """Measure calls with one worker and two, then runs with one orchestrator and two."""
    lines = [
        *await _workers(directory / "workers", rounds),
        *await _orchestrators(directory / "orchestrators", rounds),
    ]
    return Report(f"one process and two, {CALLERS} callers", lines)


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Have a variable in the environment that processes inherit."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


async def _workers(directory: Path, rounds: int) -> list[Line]:
    ways: dict[str, Requests] = {}
    async with AsyncExitStack() as opened:
        for count in (1, 2):
            with environment(WORKERS, str(count)):
                stack = await opened.enter_async_context(_stack(directory / str(count)))
            ours = await opened.enter_async_context(straight(stack))
            ways |= _kinds(ours, f"{WORKERS} {count}")
        reads, writes, more_reads, more_writes = (
            await at_once(ways, rounds, EACH, CALLERS)
        ).values()
    return [Line(reads), Line(more_reads, reads), Line(writes), Line(more_writes, writes)]


def _kinds(way: Ours, what: str) -> dict[str, Requests]:
    return {
        f"reads, {what}": lambda caller: way.read(PLACES[caller]),
        f"writes, {what}": lambda caller: way.write(PLACES[caller]),
    }


async def _orchestrators(directory: Path, rounds: int) -> list[Line]:
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        alone = await enter(_stack(directory / "1"))
        both = await enter(_stack(directory / "2"))
        one = await enter(aiohttp.ClientSession(alone.url))
        two = [await enter(aiohttp.ClientSession(both.url)), await enter(_another(both))]
        ways: dict[str, Requests] = {
            "runs, one orchestrator": lambda caller: whole_run(one, PLACES[caller], 1),
            "runs, two": lambda caller: whole_run(two[caller % 2], PLACES[caller], 1),
        }
        first, second = (await at_once(ways, rounds, EACH, CALLERS)).values()
    return [Line(first), Line(second, first)]


@asynccontextmanager
async def _stack(directory: Path) -> AsyncIterator[Stack]:
    prepare(directory / "execution" / "workspaces" / "local")
    async with running_stack(directory) as stack:
        yield stack


@asynccontextmanager
async def _another(stack: Stack) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve a second orchestrator on the store of the first one."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    settings = {
        "ORCHESTRATOR_PORT": str(port),
        "ORCHESTRATOR_REDIS_URL": f"unix://{store_socket(stack)}",
        "ORCHESTRATOR_EXECUTION_URL": stack.execution_url,
        "ORCHESTRATOR_SERVICE_TOKEN": stack.service_token,
    }
    command = [sys.executable, "-m", "orchestrator"]
    async with serving(command, url, ready="/health/ready", env=settings) as http:
        yield http
