"""What a step and a durable write cost, as ratios against a floor that is measured in the same run.

The floors are bare FastAPI routes: one that reads the same file, and one that writes it durably
(temporary file, fsync, rename, fsync of the directory). All requests go over loopback.
"""

import asyncio
import itertools
import os
import secrets
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
from rich.table import Table

from agentic import AgenticClient
from agentic.local.stack import Stack, running_stack
from common.approvals.reviews import Policy
from common.plans import Plan

SAMPLES = 200
STEPS = 50
PARALLEL = 16
CONTENT = "line\n" * 100


Row = tuple[str, list[float], list[float]]
"""What was measured, its milliseconds, and those of its floor."""


def floor_app(path: Path) -> FastAPI:
    """Return the least that could do the same: routes that read and durably write a file."""
    app = FastAPI()

    @app.get("/read")
    def read() -> dict[str, str]:
        return {"content": path.read_text()}

    @app.post("/write")
    def write(body: dict[str, str]) -> None:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(body["content"])
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path.with_name("written"))
        directory = os.open(path.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    return app


async def timed(request: Callable[[], Awaitable[Any]], samples: int = SAMPLES) -> list[float]:
    """Return the milliseconds that each of a number of requests took, one after the other."""
    taken = []
    for _ in range(samples):
        started = time.perf_counter()
        await request()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


async def measure_floors(path: Path) -> tuple[list[float], list[float]]:
    """Time the bare routes: reading, and writing."""
    server = uvicorn.Server(uvicorn.Config(floor_app(path), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        reads = await timed(lambda: http.get("/read"))
        writes = await timed(lambda: http.post("/write", json={"content": CONTENT}))
    server.should_exit = True
    thread.join()
    return reads, writes


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
            body = {"id": secrets.token_hex(8), "fence": 1, "tool": tool, "arguments": arguments()}
            answer = await http.post("/v1/tool-calls", json=body | {"context": context})
            answer.raise_for_status()

        return await timed(call)


def plan_of(steps: int) -> Plan:
    """Return a plan that reads the same file again and again."""
    read = {"tool": "read_file", "arguments": {"path": "file.txt"}}
    return Plan.model_validate({"steps": [read | {"name": f"s{n}"} for n in range(steps)]})


async def one_run(
    client: AgenticClient, steps: int, approval: Policy | None = None
) -> tuple[float, float]:
    """Run a plan; return the milliseconds from creation to start, and per step."""
    session = await client.create_session("bench")
    run = await client.start_run(session.id, plan=plan_of(steps), approval=approval)
    run = await client.wait(session.id, run.id)
    assert run.status == "succeeded"
    assert run.started_at is not None
    assert run.finished_at is not None
    to_start = (run.started_at - run.created_at).total_seconds() * 1000
    per_step = (run.finished_at - run.started_at).total_seconds() * 1000 / steps
    return to_start, per_step


async def measure_steps(data_dir: Path) -> Table:
    """Run all measurements and return their table."""
    file = data_dir / "execution" / "workspaces" / "local" / "bench" / "file.txt"
    file.parent.mkdir(parents=True)
    file.write_text(CONTENT)
    reading, writing = await measure_floors(file)
    rows: list[Row] = [
        ("bare FastAPI route, same read (the floor)", reading, reading),
        ("bare FastAPI route, temp + fsync + rename (the floor of writes)", writing, writing),
    ]
    async with running_stack(data_dir) as stack, AgenticClient(stack.url) as client:
        reads = await measure_straight(stack, "read_file", lambda: {"path": "file.txt"})
        rows.append(("read_file, straight to the execution environment", reads, reading))
        numbers = itertools.count()
        writes = await measure_straight(
            stack,
            "write_file",
            lambda: {"path": "new.txt", "content": f"{next(numbers)}{CONTENT}", "mode": "upsert"},
        )
        rows.append(("write_file, straight, durable and exactly once", writes, writing))
        runs = [await one_run(client, STEPS) for _ in range(5)]
        rows.append((f"a step of a run of {STEPS} (read_file)", [run[1] for run in runs], reading))
        rows.append(("from a run's creation to its start", [run[0] for run in runs], reading))
        started = time.perf_counter()
        await asyncio.gather(*(one_run(client, 10) for _ in range(PARALLEL)))
        seconds = time.perf_counter() - started
    return table(rows, f"{PARALLEL / seconds:.1f} runs of 10 steps a second, {PARALLEL} at a time")


def table(rows: list[Row], caption: str) -> Table:
    """Return the figures: median and 99th percentile in ms, and the ratio to the floor."""
    result = Table(caption=caption)
    for column in ("what", "p50 ms", "p99 ms", "ratio"):
        result.add_column(column, justify="left" if column == "what" else "right")
    for what, taken, floor in rows:
        middle = statistics.median(taken)
        high = sorted(taken)[int(len(taken) * 0.99)]
        ratio = middle / statistics.median(floor)
        result.add_row(what, f"{middle:.2f}", f"{high:.2f}", f"{ratio:.1f}")
    return result
