"""What runs cost through both services: a whole one, ten steps, and what a step costs more than a bare read.

The client waits with `Prefer: wait`. A run of the bench reads the same file again and again.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from agentic.local.stack import running_stack
from bench.options import Options
from bench.report import Bar, Line, Report
from bench.rounds import Figure, Request, Requests, at_once, one_by_one
from bench.ways.floor import Floor, running_floor
from bench.ways.way import CALLERS, PLACES, prepare, sent

STEPS = 50
EACH = 20
READ = {"tool": "read_file", "arguments": {"path": "file.txt"}}
ONE, TEN = "a run of one step, session included", "runs of ten steps, session included"
FLOOR, FLOORS = "a bare read", "ten bare reads"
MANY = f"a run of {STEPS} steps"
WAIT = "wait=60"
Steps = Sequence[Mapping[str, Any]]


def reads(steps: int) -> Steps:
    """Return the steps of a plan that reads the same file."""
    return [READ | {"name": f"s{number}"} for number in range(steps)]


async def opened_session(http: aiohttp.ClientSession, workspace: str) -> str:
    """Open a session, and return its id."""
    return str(json.loads(await sent(http, "/v1/sessions", {"workspace": workspace}))["id"])


async def one_run(http: aiohttp.ClientSession, session: str, steps: Steps, **more: Any) -> None:
    """Make a run of these steps; raise RuntimeError unless it succeeds."""
    body = {"plan": {"steps": steps}, **more}
    run = json.loads(await sent(http, f"/v1/sessions/{session}/runs", body, Prefer=WAIT))
    if run["status"] != "succeeded":
        raise RuntimeError(f"a run has {run['status']}: {run}")


def whole_run(http: aiohttp.ClientSession, workspace: str, steps: int) -> Request:
    """Open a session and make a run in it, each time anew."""

    async def request() -> None:
        await one_run(http, await opened_session(http, workspace), reads(steps))

    return request


def per_step(whole: Figure, one: Figure, less: Figure | None = None) -> Figure:
    """Return what each further step took, above what another figure took, if one is given."""
    name = "a further step of it" if less is None else "its overhead, above a bare read"
    above = [0.0] * len(whole.rounds) if less is None else less.rounds
    rounds = zip(whole.rounds, one.rounds, above, strict=True)
    return Figure(name, "ms", [(most - least) / (STEPS - 1) - bare for most, least, bare in rounds])


async def measure_runs(directory: Path, options: Options) -> list[Report]:
    """Measure runs one after the other, and of many callers."""
    prepare(directory / "floor")
    prepare(directory / "stack" / "execution" / "workspaces" / "local")
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        floor = await enter(running_floor(directory / "floor"))
        stack = await enter(running_stack(directory / "stack"))
        http = await enter(aiohttp.ClientSession(stack.url))
        return [
            await _one_by_one(floor, http, options.rounds),
            await _at_once(floor, http, options.rounds),
        ]


async def _one_by_one(floor: Floor, http: aiohttp.ClientSession, rounds: int) -> Report:
    ways = {
        FLOOR: floor.read(PLACES[0]),
        ONE: whole_run(http, PLACES[0], 1),
        MANY: whole_run(http, PLACES[0], STEPS),
    }
    figures = await one_by_one(ways, rounds, EACH)
    bare, one, many = figures.values()
    lines = [
        Line(bare),
        Line(one, bare, Bar(8)),
        Line(many, bare),
        Line(per_step(many, one), bare),
        Line(per_step(many, one, bare), bar=Bar(2.5)),
    ]
    return Report("runs, one after the other", lines, "Reads of one plan stand side by side.")


async def _at_once(floor: Floor, http: aiohttp.ClientSession, rounds: int) -> Report:
    ways: dict[str, Requests] = {
        FLOOR: lambda caller: floor.read(PLACES[caller]),
        ONE: lambda caller: whole_run(http, PLACES[caller], 1),
        FLOORS: lambda caller: _ten(floor.read(PLACES[caller])),
        TEN: lambda caller: whole_run(http, PLACES[caller], 10),
    }
    bare, one, ten_bare, ten = (await at_once(ways, rounds, EACH, CALLERS)).values()
    lines = [Line(bare), Line(one, bare, Bar(200)), Line(ten_bare), Line(ten, ten_bare, Bar(80))]
    return Report(f"runs, {CALLERS} callers", lines)


def _ten(once: Request) -> Request:
    async def request() -> None:
        for _ in range(10):
            await once()

    return request
