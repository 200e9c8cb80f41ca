"""What a tool call costs, against the least that could do the same, and beside a peer.

Calls go straight to the execution environment, 1 KB each, one at a time and from 16 callers.
"""

import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from agentic.local.stack import Stack, running_stack
from bench.floor import running_floor
from bench.options import Options
from bench.report import Line, Report
from bench.rounds import Figure, Request, Requests, at_once, one_by_one
from bench.swerex import MISSING, running_swerex
from bench.ways import CALLERS, CONTENT, PLACES, Way, prepare, sent

EACH = 100
FLOOR, OURS, PEER, ONE = "floor", "ours", "SWE-ReX", "ours, one workspace"
NOTE = "The floor is a bare FastAPI route, durable in the same way; SWE-ReX writes neither durably nor once."


class Ours:
    """Tool calls, straight to the execution environment."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    def read(self, place: str) -> Request:
        """Read a file."""
        return self.calling("read_file", place, lambda: {"path": "file.txt"})

    def write(self, place: str) -> Request:
        """Write a file durably, once."""

        def arguments() -> dict[str, Any]:
            content = secrets.token_hex(8) + CONTENT
            return {"path": "written.txt", "content": content, "mode": "upsert"}

        return self.calling("write_file", place, arguments)

    def calling(self, tool: str, place: str, arguments: Callable[[], dict[str, Any]]) -> Request:
        """Call a tool in a place, each time with what `arguments` returns."""
        run, numbers = f"run_{secrets.token_hex(16)}", itertools.count(1)
        context = {
            "request_id": "bench",
            "user_id": "local",
            "request_source": {"kind": "internal"},
            "allowed_paths_root": f"local/{place}",
            "session_id": f"ses_{secrets.token_hex(16)}",
            "run_id": run,
            "timeout": 30,
        }

        async def request() -> None:
            call = {"id": f"{run}:{next(numbers)}:1", "fence": 1, "tool": tool}
            body = call | {"arguments": arguments(), "context": context}
            await sent(self._http, "/v1/tool-calls", body)

        return request


@asynccontextmanager
async def straight(stack: Stack) -> AsyncIterator[Ours]:
    """Yield what calls the execution environment of a stack."""
    shown = {"Authorization": f"Bearer {stack.service_token}"}
    async with aiohttp.ClientSession(stack.execution_url, headers=shown) as http:
        yield Ours(http)


async def measure_calls(directory: Path, options: Options) -> list[Report]:
    """Measure reads and writes, one at a time and of many callers."""
    roots = {name: directory / name for name in ("floor", "peer")}
    for root in (*roots.values(), directory / "stack" / "execution" / "workspaces" / "local"):
        prepare(root)
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        ways: dict[str, Way] = {FLOOR: await enter(running_floor(roots["floor"]))}
        stack = await enter(running_stack(directory / "stack"))
        ways[OURS] = await enter(straight(stack))
        peer = await enter(running_swerex(roots["peer"], options.swerex))
        note = NOTE if peer else f"{NOTE} {MISSING}."
        return await _reports(ways | ({PEER: peer} if peer else {}), options.rounds, note)


async def _reports(ways: Mapping[str, Way], rounds: int, note: str) -> list[Report]:
    """Return the report of one call at a time, and that of many callers."""
    alone: dict[str, Request] = {
        **{f"read, {name}": way.read(PLACES[0]) for name, way in ways.items()},
        **{f"write, {name}": way.write(PLACES[0]) for name, way in ways.items()},
    }
    many: dict[str, Requests] = {
        **{f"read, {name}": _each(way.read) for name, way in ways.items()},
        **{f"write, {name}": _each(way.write) for name, way in ways.items()},
        f"write, {ONE}": lambda _: ways[OURS].write(PLACES[0]),
    }
    one = await one_by_one(alone, rounds, EACH)
    together = await at_once(many, rounds, EACH // 4, CALLERS)
    return [
        Report("1 KB, one call at a time", _lines(one), note),
        Report(f"1 KB, {CALLERS} callers", _lines(together), note),
    ]


def _each(kind: Callable[[str], Request]) -> Requests:
    return lambda caller: kind(PLACES[caller])


def _lines(figures: Mapping[str, Figure]) -> list[Line]:
    """Return the figures, each beside the floor of its kind."""
    floors = {kind: figures[f"{kind}, {FLOOR}"] for kind in ("read", "write")}
    return [
        Line(figure, None if FLOOR in name else floors[name.partition(",")[0]])
        for name, figure in figures.items()
    ]
