"""A client that costs next to nothing: HTTP/1.1 over one connection, bytes in and bytes out."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

Body = Mapping[str, Any]


class Connection:
    """Sends one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def post(self, path: str, body: bytes, headers: str = "") -> bytes:
        """Return the body of the answer; raise RuntimeError unless that is a success."""
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._writer.write(f"{head}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        content = await self._content(answer)
        if not answer.startswith("http/1.1 2"):
            raise RuntimeError(f"{answer.splitlines()[0]}: {content.decode()}")
        return content

    async def _content(self, head: str) -> bytes:
        if "chunked" not in head:
            length = head.partition("content-length:")[2].partition("\r\n")[0]
            return await self._reader.readexactly(int(length))
        chunks = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            chunks.append((await self._reader.readexactly(size + 2))[:-2])
        await self._reader.readexactly(2)
        return b"".join(chunks)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """Yield a connection to a server on this machine."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**20)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def new_session(connection: Connection) -> str:
    """Open a session on the workspace of the bench; return its id."""
    answer = json.loads(await connection.post("/v1/sessions", b'{"workspace": "bench"}'))
    return str(answer["id"])


async def one_run(connection: Connection, session: str, asked: bytes) -> tuple[float, Body]:
    """Start a run and wait for its end; return the milliseconds that took, and the run.

    Raises RuntimeError for a run that has not succeeded.
    """
    started = time.perf_counter()
    answer = await connection.post(f"/v1/sessions/{session}/runs", asked, "Prefer: wait=60\r\n")
    taken = (time.perf_counter() - started) * 1000
    run: Body = json.loads(answer)
    if run["status"] != "succeeded":
        raise RuntimeError(answer.decode())
    return taken, run
