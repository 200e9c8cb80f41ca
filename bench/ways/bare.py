"""`python -m bench.ways.bare PORT ROOT`: the least that could do the same, and nothing else imported.

A durable write is a temporary file, fsync, a rename, and fsync of the directory.
"""

import os
import sys
import tempfile
from pathlib import Path

import uvicorn
from fastapi import FastAPI


def bare_app(root: Path) -> FastAPI:
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


if __name__ == "__main__":
    uvicorn.run(bare_app(Path(sys.argv[2])), port=int(sys.argv[1]), log_level="error")
