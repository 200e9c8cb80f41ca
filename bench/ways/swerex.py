"""A peer: SWE-ReX's server, which reads files, and writes them in place and not durably.

It is no dependency of ours: it is measured where `swerex` can be imported, where `swerex-remote` is on the
PATH, or where `BENCH_SWEREX` (or `--swerex`) names that program.
"""

import importlib.util
import secrets
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from agentic.local.ownership import HOST, free_port
from bench.rounds import Request
from bench.ways.serving import serving
from bench.ways.way import CONTENT, sent

PROGRAM = "swerex-remote"
VARIABLE = "BENCH_SWEREX"
MISSING = (
    f"SWE-ReX is left out: {PROGRAM} is not on the PATH (pip install swe-rex), nor in {VARIABLE}."
)


class SweRex:
    """Reads and writes by a peer's server."""

    def __init__(self, http: aiohttp.ClientSession, root: Path) -> None:
        self._http = http
        self._root = root

    def read(self, place: str) -> Request:
        """Read a file."""
        path = str(self._root / place / "file.txt")

        async def request() -> None:
            assert len(await sent(self._http, "/read_file", {"path": path})) > len(CONTENT)

        return request

    def write(self, place: str) -> Request:
        """Write a file, with no more care than the peer takes."""
        path = str(self._root / place / "written.txt")

        async def request() -> None:
            body = {"path": path, "content": secrets.token_hex(8) + CONTENT}
            await sent(self._http, "/write_file", body)

        return request


def command_of(program: str | None) -> list[str] | None:
    """Return what starts the peer: the program that is named, else what is installed here, if it is."""
    if program is not None:
        return [program]
    if importlib.util.find_spec("swerex") is not None:
        return [sys.executable, "-m", "swerex.server"]
    found = shutil.which(PROGRAM)
    return None if found is None else [found]


@asynccontextmanager
async def running_swerex(root: Path, program: str | None) -> AsyncIterator[SweRex | None]:
    """Serve the peer over the places beneath a root; yield None where it is not installed."""
    command = command_of(program)
    if command is None:
        yield None
        return
    port, token = free_port(), secrets.token_hex(16)
    shown = {"X-API-Key": token}
    options = ["--host", HOST, "--port", str(port), "--auth-token", token]
    async with serving([*command, *options], f"http://{HOST}:{port}", headers=shown) as http:
        yield SweRex(http, root)
