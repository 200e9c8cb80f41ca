"""A server over real sockets that behaves as badly as it is told to."""

import asyncio
import contextlib
import socket
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


class _Server:
    """Answers each connection's first request as told, and closes it."""

    def __init__(self, behaviour: Behaviour, told: Hostile) -> None:
        self._behaviour, self._told = behaviour, told
        self._answering: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._last: tuple[str, int] | None = None
        self._is_last_served = asyncio.Event()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        if writer.get_extra_info("peername") == self._last:
            self._is_last_served.set()
        self._answering[asyncio.create_task(self._answer(reader, writer))] = writer

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            self._told.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await self._behaviour(write)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the test is over
        finally:
            writer.close()

    async def all_accepted(self, address: tuple[str, int]) -> None:
        """Wait until all that have connected so far are served: one that connects now comes after them.

        What is still being accepted when a server closes is closed by nobody.
        """
        with socket.socket() as own:
            own.setblocking(False)
            own.bind(("127.0.0.1", 0))
            self._last = own.getsockname()
            await asyncio.get_running_loop().sock_connect(own, address)
            await self._is_last_served.wait()

    async def end(self) -> None:
        """End with all connections."""
        for task, writer in self._answering.items():
            task.cancel()
            writer.transport.abort()  # one that was cancelled before it began closes nothing
        closing = (writer.wait_closed() for writer in self._answering.values())
        await asyncio.gather(*self._answering, *closing, return_exceptions=True)


@contextlib.asynccontextmanager
async def hostile(behaviour: Behaviour) -> AsyncIterator[Hostile]:
    """Answer each connection's first request as told, and close it; end with all connections."""
    told = Hostile()
    serving = _Server(behaviour, told)
    server = await asyncio.start_server(serving.serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    told.url = f"http://127.0.0.1:{address[1]}"
    try:
        yield told
    finally:
        await serving.all_accepted(address)
        server.close()
        await serving.end()


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
