"""What a tool call costs, against the least that could do the same, and beside a peer.

Calls go straight to the execution environment, 1 KB each, one at a time and from 16 callers.
"""

import itertools
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from agentic.local.stack import Stack, running_stack
from bench.floor import running_floor
from bench.rounds import Figure, Request, Requests, at_once, one_by_one

ROUNDS = 10
EACH = 100
CALLERS = 16
CONTENT = "x" * 1023 + "\n"


def places(count: int) -> list[str]:
    """Return names of workspaces."""
    return [f"bench-{number}" for number in range(count)]


def prepare(root: Path) -> None:
    """Have a file to read in each workspace."""
    for place in places(CALLERS):
        (root / place).mkdir(parents=True)
        (root / place / "file.txt").write_text(CONTENT)


class Floor:
    """The bare routes."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    def read(self, place: str) -> Request:
        """Read a file."""

        async def request() -> None:
            async with self._http.get(f"/read/{place}") as answer:
                assert len(await answer.read()) > len(CONTENT)

        return request

    def write(self, place: str) -> Request:
        """Write a file durably."""

        async def request() -> None:
            body = {"content": secrets.token_hex(8) + CONTENT}
            async with self._http.post(f"/write/{place}", json=body) as answer:
                answer.raise_for_status()
                await answer.read()

        return request


class Ours:
    """Tool calls, straight to the execution environment."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    def read(self, place: str) -> Request:
        """Read a file."""
        return self._calling("read_file", place, lambda: {"path": "file.txt"})

    def write(self, place: str) -> Request:
        """Write a file durably, once."""

        def arguments() -> dict[str, Any]:
            content = secrets.token_hex(8) + CONTENT
            return {"path": "written.txt", "content": content, "mode": "upsert"}

        return self._calling("write_file", place, arguments)

    def _calling(self, tool: str, place: str, arguments: Callable[[], dict[str, Any]]) -> Request:
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
            async with self._http.post("/v1/tool-calls", json=body) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

        return request


async def measure_calls(data_dir: Path) -> list[Figure]:
    """Return the figures of reads and writes, one at a time and of many callers."""
    prepare(data_dir / "floor")
    prepare(data_dir / "stack" / "execution" / "workspaces" / "local")
    async with (
        running_floor(data_dir / "floor") as floor_url,
        running_stack(data_dir / "stack") as stack,
        aiohttp.ClientSession(floor_url) as to_floor,
        aiohttp.ClientSession(stack.execution_url, headers=_shown(stack)) as to_ours,
    ):
        return await _measured(Floor(to_floor), Ours(to_ours))


def _shown(stack: Stack) -> dict[str, str]:
    return {"Authorization": f"Bearer {stack.service_token}"}


async def _measured(floor: Floor, ours: Ours) -> list[Figure]:
    names = places(CALLERS)
    alone: dict[str, Request] = {
        "read, floor": floor.read(names[0]),
        "read": ours.read(names[0]),
        "write, floor": floor.write(names[0]),
        "write": ours.write(names[0]),
    }
    many: dict[str, Requests] = {
        "read, floor, 16 callers": lambda caller: floor.read(names[caller]),
        "read, 16 callers": lambda caller: ours.read(names[caller]),
        "write, floor, 16 callers": lambda caller: floor.write(names[caller]),
        "write, 16 callers": lambda caller: ours.write(names[caller]),
        "write, 16 callers, one workspace": lambda _: ours.write(names[0]),
    }
    return [
        *(await one_by_one(alone, ROUNDS, EACH)).values(),
        *(await at_once(many, ROUNDS, EACH // 4, CALLERS)).values(),
    ]
