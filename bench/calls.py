"""What a tool call costs, against the least that could do the same, and beside a peer.

Calls go straight to the execution environment, 1 KB each, one at a time and from 16 callers.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from agentic.local.stack import running_stack
from bench.options import Options
from bench.report import Bar, Line, Report
from bench.rounds import Figure, Request, Requests, at_once, one_by_one
from bench.ways.floor import running_floor
from bench.ways.ours import straight
from bench.ways.swerex import MISSING, running_swerex
from bench.ways.way import CALLERS, PLACES, Way, prepare

EACH = 100
FLOOR, OURS, PEER, ONE = "floor", "ours", "SWE-ReX", "ours, one workspace"
BARS = {f"read, {OURS}": Bar(1.3, is_of_floor=True), f"write, {OURS}": Bar(1.5, is_of_floor=True)}
BARS_OF_MANY = {f"{kind}, {OURS}": Bar(1.43, is_of_floor=True) for kind in ("read", "write")}
"""0.7 of the floor's throughput."""
NOTE = "The floor is a bare FastAPI route, durable in the same way."
OF_PEER = "SWE-ReX writes in place, not durably, and knows a retry of the last request alone."


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
        note = f"{NOTE} {OF_PEER if peer else MISSING}"
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
        Report("1 KB, one call at a time", _lines(one, BARS), note),
        Report(f"1 KB, {CALLERS} callers", _lines(together, BARS_OF_MANY), note),
    ]


def _each(kind: Callable[[str], Request]) -> Requests:
    return lambda caller: kind(PLACES[caller])


def _lines(figures: Mapping[str, Figure], bars: Mapping[str, Bar]) -> list[Line]:
    """Return the figures, each beside the floor of its kind."""
    floors = {kind: figures[f"{kind}, {FLOOR}"] for kind in ("read", "write")}
    return [
        Line(figure, None if FLOOR in name else floors[name.partition(",")[0]], bars.get(name))
        for name, figure in figures.items()
    ]
