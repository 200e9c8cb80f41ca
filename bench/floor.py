"""The least that could do the same: bare FastAPI routes that read a file, and write one durably.

A durable write is a temporary file, fsync, a rename, and fsync of the directory.
"""

import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import uvicorn
from fastapi import FastAPI

from agentic.local.ownership import HOST, free_port
from bench.rounds import Request
from bench.serving import serving
from bench.ways import CONTENT, sent


def floor_app(root: Path) -> FastAPI:
    """Return routes over the directories beneath a root."""
    app = FastAPI()

    @app.get("/")
    def ready() -> None:
        """Answer whoever waits for the start."""

    @app.get("/read/{place}")
    def read(place: str) -> dict[str, str]:
        return {"content": (root / place / "file.txt").read_text()}

    @app.post("/write/{place}")
    def write(place: str, body: dict[str, str]) -> None:
        with tempfile.NamedTemporaryFile("w", dir=root / place, delete=False) as file:
            file.write(body["content"])
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, root / place / "written.txt")
        directory = os.open(root / place, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    return app


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
    command = floor_command(port, root)
    async with serving(command, f"http://{HOST}:{port}") as http:
        yield Floor(http)


def floor_command(port: int, root: Path) -> list[str]:
    """Return the command line that serves it."""
    return [sys.executable, "-m", "bench.floor", str(port), str(root)]


if __name__ == "__main__":
    uvicorn.run(floor_app(Path(sys.argv[2])), port=int(sys.argv[1]), log_level="error")
