"""The floor: bare FastAPI routes that read a file, and write one durably."""

import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from agentic.local.ownership import HOST, free_port
from bench.rounds import Request
from bench.ways.serving import serving
from bench.ways.way import CONTENT, sent


class Floor:
    """Reads and writes by the bare routes."""

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
            await sent(self._http, f"/write/{place}", {"content": secrets.token_hex(8) + CONTENT})

        return request


@asynccontextmanager
async def running_floor(root: Path) -> AsyncIterator[Floor]:
    """Serve the floor in a process of its own."""
    port = free_port()
    async with serving(floor_command(port, root), f"http://{HOST}:{port}") as http:
        yield Floor(http)


def floor_command(port: int, root: Path) -> list[str]:
    """Return the command line that serves it."""
    return [sys.executable, "-m", "bench.ways.bare", str(port), str(root)]
