"""`make bench`: what a step costs, as ratios against a floor that is measured in the same run.

The floor is a bare FastAPI route that reads the same file. All requests go over loopback.
"""

import asyncio
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table

from agentic import AgenticClient
from agentic.stack import Stack, running_stack
from common.plans import Plan

SAMPLES = 200
STEPS = 50
PARALLEL = 16
CONTENT = "line\n" * 100


def floor_app(path: Path) -> FastAPI:
    """Return the least that could do the same: a route that reads a file."""
    app = FastAPI()

    @app.get("/read")
    def read() -> dict[str, str]:
        return {"content": path.read_text()}

    return app


async def timed(request: Callable[[], Awaitable[Any]], samples: int = SAMPLES) -> list[float]:
    """Return the milliseconds that each of a number of requests took, one after the other."""
    taken = []
    for _ in range(samples):
        started = time.perf_counter()
        await request()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


async def measure_floor(path: Path) -> list[float]:
    """Time the bare route."""
    server = uvicorn.Server(uvicorn.Config(floor_app(path), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        taken = await timed(lambda: http.get("/read"))
    server.should_exit = True
    thread.join()
    return taken


async def measure_straight(
    stack: Stack, tool: str, arguments: Callable[[], dict[str, Any]]
) -> list[float]:
    """Time tool calls that are sent straight to the execution environment."""
    context = {
        "request_id": "bench",
        "user_id": "local",
        "request_source": {"kind": "internal"},
        "allowed_paths_root": "local/bench",
        "timeout": 30,
    }
    headers = {"Authorization": f"Bearer {stack.service_token}"}
    async with httpx.AsyncClient(base_url=stack.execution_url, headers=headers) as http:

        async def call() -> None:
            body = {"id": "bench", "fence": 1, "tool": tool, "arguments": arguments()}
            answer = await http.post("/v1/tool-calls", json=body | {"context": context})
            answer.raise_for_status()

        return await timed(call)


def plan_of(steps: int) -> Plan:
    """Return a plan that reads the same file again and again."""
    read = {"tool": "read_file", "arguments": {"path": "file.txt"}}
    return Plan.model_validate({"steps": [read | {"name": f"s{n}"} for n in range(steps)]})


async def one_run(client: AgenticClient, steps: int) -> tuple[float, float]:
    """Run a plan; return the milliseconds from creation to start, and per step."""
    session = await client.create_session("bench")
    run = await client.start_run(session.id, plan=plan_of(steps))
    run = await client.wait(session.id, run.id)
    assert run.status == "succeeded"
    assert run.started_at is not None
    assert run.finished_at is not None
    to_start = (run.started_at - run.created_at).total_seconds() * 1000
    per_step = (run.finished_at - run.started_at).total_seconds() * 1000 / steps
    return to_start, per_step


async def measure(data_dir: Path) -> Table:
    """Run all measurements and return their table."""
    file = data_dir / "execution" / "workspaces" / "local" / "bench" / "file.txt"
    file.parent.mkdir(parents=True)
    file.write_text(CONTENT)
    floor = await measure_floor(file)
    rows: list[tuple[str, list[float]]] = [("bare FastAPI route, same read (the floor)", floor)]
    async with running_stack(data_dir) as stack, AgenticClient(stack.url) as client:
        reads = await measure_straight(stack, "read_file", lambda: {"path": "file.txt"})
        rows.append(("read_file, straight to the execution environment", reads))
        numbers = itertools.count()
        writes = await measure_straight(
            stack,
            "write_file",
            lambda: {"path": "new.txt", "content": str(next(numbers)), "mode": "upsert"},
        )
        rows.append(("write_file, durable, straight", writes))
        runs = [await one_run(client, STEPS) for _ in range(5)]
        rows.append((f"a step of a run of {STEPS} (read_file)", [run[1] for run in runs]))
        rows.append(("from a run's creation to its start", [run[0] for run in runs]))
        started = time.perf_counter()
        await asyncio.gather(*(one_run(client, 10) for _ in range(PARALLEL)))
        seconds = time.perf_counter() - started
    return table(rows, f"{PARALLEL / seconds:.1f} runs of 10 steps a second, {PARALLEL} at a time")


def table(rows: list[tuple[str, list[float]]], caption: str) -> Table:
    """Return the figures: median and 99th percentile in ms, and the ratio to the first row."""
    result = Table(caption=caption)
    for column in ("what", "p50 ms", "p99 ms", "ratio"):
        result.add_column(column, justify="left" if column == "what" else "right")
    floor = statistics.median(rows[0][1])
    for what, taken in rows:
        middle = statistics.median(taken)
        high = sorted(taken)[int(len(taken) * 0.99)]
        result.add_row(what, f"{middle:.2f}", f"{high:.2f}", f"{middle / floor:.1f}")
    return result


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        Console(width=100).print(asyncio.run(measure(Path(scratch))))


main()
