"""A server over real sockets that behaves as badly as it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

Write = Callable[[bytes], Awaitable[None]]
Behaviour = Callable[[Write], Awaitable[None]]
"""Answers a request whose head was read. What is left of the body is not."""


@dataclass
class Hostile:
    """Where it listens, and the heads of what it was asked."""

    url: str = ""
    heads: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def hostile(behaviour: Behaviour) -> AsyncIterator[Hostile]:
    """Answer each connection's first request as told, and close it; end with all connections."""
    told = Hostile()
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            told.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await behaviour(write)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the test is over
        finally:
            writer.close()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(answer(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield told
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def head(status: int = 200, *lines: str) -> bytes:
    """The head of an answer, with these header lines."""
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode()


def says(*parts: bytes) -> Behaviour:
    """Answer that, and close the connection."""

    async def behave(write: Write) -> None:
        for part in parts:
            await write(part)

    return behave


def never_ends(first: bytes, again: bytes) -> Behaviour:
    """Answer with what begins well, and has no end."""

    async def behave(write: Write) -> None:
        await write(first)
        while True:
            await write(again)

    return behave


def drips(first: bytes, again: bytes) -> Behaviour:
    """Likewise, a byte at a time: each of them long before any silence is too long."""

    async def behave(write: Write) -> None:
        await write(first)
        for byte in _for_ever(again):
            await write(byte)
            await asyncio.sleep(0.002)

    return behave


def _for_ever(text: bytes) -> Iterator[bytes]:
    while True:
        for byte in text:
            yield bytes([byte])


async def silent(_write: Write) -> None:
    """Never answer."""
    await asyncio.Event().wait()
