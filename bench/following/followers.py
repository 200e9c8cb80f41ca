"""What a thousand followers cost: delivery, an idle service's CPU, connections to the store.

The floor is a bare Starlette route that sends the same bytes to as many streams. An event's delay is
counted from its own time, which the store gives it, to its arrival in the clients' process.
"""

import asyncio
import json
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from agentic import AgenticClient
from agentic.local.stack import Stack, running_stack
from bench.options import Options
from bench.processes import cpu_seconds, pid_of, store_socket
from bench.report import Line, Report
from bench.rounds import Figure
from common.sessions import Session

FOLLOWERS = 1000
EVENTS = 20
PAUSE = 0.15
IDLE = 15.0
"""Seconds: in these each stream has had a heartbeat."""
Publish = Callable[[int], Awaitable[object]]


class Crowd:
    """The followers, in a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    async def ask(self, line: str = "") -> str:
        """Send a line and return the answer."""
        self._stdin.write(f"{line}\n".encode())
        return (await self._stdout.readline()).decode().strip()

    async def delays(self, publish: Publish, expected: int, events: int = EVENTS) -> list[float]:
        """Publish some events, one by one; return the milliseconds that each delivery took.

        The first one warms up, and does not count.
        """
        await publish(0)
        await asyncio.sleep(PAUSE * 4)
        await self.ask()
        for number in range(events):
            await publish(number)
            await asyncio.sleep(PAUSE * EVENTS / events)
        await asyncio.sleep(PAUSE)
        found: list[float] = json.loads(await self.ask())
        assert len(found) == expected, f"{len(found)} deliveries of {expected}"
        return found


@asynccontextmanager
async def crowd(port: int, streams: list[tuple[str, str]]) -> AsyncIterator[Crowd]:
    """Follow all these streams; yield when they are open."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.following.crowd", stdin=pipe, stdout=pipe, limit=2**24
    )
    followers = Crowd(process)
    assert await followers.ask(json.dumps({"port": port, "streams": streams})) == "ready"
    yield followers
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


class Bare:
    """The least that could do the same: a route that sends the same bytes to each stream."""

    def __init__(self) -> None:
        self.app = Starlette(routes=[Route("/", self._events)])
        self._changed, self._text = asyncio.Event(), b""

    async def _events(self, _: Request) -> Response:
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[bytes]:
        yield b": following\n\n"
        while True:
            await self._changed.wait()
            yield self._text

    async def publish(self, number: int) -> None:
        """Wake all streams."""
        now = datetime.now(UTC).isoformat()
        data = {"seq": number, "type": "run.queued", "time": now, "data": {"x": "y" * 150}}
        self._text = f"id: {number}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
        before, self._changed = self._changed, asyncio.Event()
        before.set()


@asynccontextmanager
async def serving(bare: Bare) -> AsyncIterator[int]:
    """Serve it beside the clients; yield its port."""
    server = uvicorn.Server(uvicorn.Config(bare.app, port=0, lifespan="off", log_level="error"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.force_exit = server.should_exit = True
    await task


async def idle_cpu(stack: Stack) -> float:
    """Return the percentage of a core that the idle orchestrator takes."""
    pid = pid_of(stack, "orchestrator")
    before = cpu_seconds(pid)
    await asyncio.sleep(IDLE)
    return (cpu_seconds(pid) - before) / IDLE * 100


async def store_connections(stack: Stack) -> int:
    """Return how many connections the orchestrator has to its store."""
    async with Redis.from_url(f"unix://{store_socket(stack)}", decode_responses=True) as redis:
        return int((await redis.info("clients"))["connected_clients"]) - 1


async def measure_one(
    stack: Stack, client: AgenticClient, sessions: list[Session], floor: Sequence[Line]
) -> list[Line]:
    """Return the lines of a thousand followers of these sessions, SSE and WebSocket by turns."""
    streams = [
        (("sse", f"/v1/sessions/{session.id}/events"), ("ws", f"/v1/sessions/{session.id}/ws"))[
            n % 2
        ]
        for session in sessions
        for n in range(FOLLOWERS // len(sessions))
    ]

    async def publish(number: int) -> None:
        session = sessions[number % len(sessions)]
        await client.start_run(session.id, goal="list", on_busy="enqueue")

    events = max(EVENTS, len(sessions))
    async with crowd(int(stack.url.rpartition(":")[2]), streams) as followers:
        cpu = await idle_cpu(stack)
        each = FOLLOWERS // len(sessions)
        taken = await followers.delays(publish, events * each, events)
        connections = await store_connections(stack)
    what = f"followers of {len(sessions)} session(s)"
    return [
        *delivered(what, taken, floor),
        Line(Figure(f"{what}: idle CPU", "%", [cpu])),
        Line(Figure(f"{what}: connections to the store", "", [connections])),
    ]


def delivered(what: str, taken: list[float], floor: Sequence[Line] = ()) -> list[Line]:
    """Return median and 99th percentile of deliveries, each beside the floor's, if there is one."""
    middle = Figure(f"{what}: p50", "ms", [statistics.median(taken)])
    high = Figure(f"{what}: p99", "ms", [percentile(taken)])
    floors: list[Figure | None] = [line.figure for line in floor] or [None, None]
    return [Line(*both) for both in zip((middle, high), floors, strict=True)]


def percentile(taken: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(taken)[int(len(taken) * 0.99)]


async def measure_followers(directory: Path, _: Options) -> list[Report]:
    """Measure the floor, then followers of one session and of a hundred."""
    bare = Bare()
    async with serving(bare) as port, crowd(port, [("sse", "/")] * FOLLOWERS) as followers:
        taken = await followers.delays(bare.publish, EVENTS * FOLLOWERS)
    floor = delivered("a bare stream, SSE alone", taken)
    lines = [*floor]
    nobody_executes = {"ORCHESTRATOR_ROLE": "api"}  # so each run is one event
    async with (
        running_stack(directory, settings=nobody_executes) as stack,
        AgenticClient(stack.url) as client,
    ):
        for count in (1, 100):
            sessions = [await client.create_session() for _ in range(count)]
            lines += await measure_one(stack, client, sessions, floor)
    title = f"an event's time to its arrival at {FOLLOWERS:,} followers"
    return [Report(title, lines, "Half of the followers are on each transport.")]
