"""What the ways of reading and writing a file have in common: the places, the content, the client."""

from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bench.rounds import Request

CALLERS = 16
CONTENT = "x" * 1023 + "\n"
PLACES = [f"bench-{number}" for number in range(CALLERS)]
"""The names of the callers' directories."""


class Way(Protocol):
    """One way to read 1 KB in a place, and to write it there."""

    def read(self, place: str) -> Request:
        """Read a file."""

    def write(self, place: str) -> Request:
        """Write a file that is never twice the same."""


def prepare(root: Path) -> None:
    """Have a file to read in each place."""
    for place in PLACES:
        (root / place).mkdir(parents=True)
        (root / place / "file.txt").write_text(CONTENT)


async def sent(http: aiohttp.ClientSession, path: str, body: Any, **headers: str) -> bytes:
    """Post JSON; return the answer's body. Raises RuntimeError unless it is a success."""
    async with http.post(path, json=body, headers=headers) as answer:
        content = await answer.read()
        if not answer.ok:
            raise RuntimeError(f"{path}: {answer.status} {content.decode()}")
        return content
