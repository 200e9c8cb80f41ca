"""The least that could do the same: bare FastAPI routes that read a file, and write one durably.

A durable write is a temporary file, fsync, a rename, and fsync of the directory.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from agentic.local.ownership import HOST, free_port

PAUSE = 0.02


def floor_app(root: Path) -> FastAPI:
    """Return routes over the directories beneath a root."""
    app = FastAPI()

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


@asynccontextmanager
async def running_floor(root: Path) -> AsyncIterator[str]:
    """Serve the floor in a process of its own; yield its address."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.floor", str(port), str(root)
    )
    url = f"http://{HOST}:{port}"
    try:
        await _answering(url)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _answering(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http, asyncio.timeout(30):
        while True:
            try:
                await http.get("/openapi.json")
            except httpx.TransportError:
                await asyncio.sleep(PAUSE)
            else:
                return


if __name__ == "__main__":
    uvicorn.run(floor_app(Path(sys.argv[2])), port=int(sys.argv[1]), log_level="error")
