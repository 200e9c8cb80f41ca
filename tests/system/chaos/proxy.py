"""A TCP proxy: what it leads to can change, be slow, and be cut off, and its clients keep the address."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

CHUNK = 65536
Gate = Callable[[bytes], Awaitable[None]]


async def pass_on(_chunk: bytes) -> None:
    """Let everything through at once."""


class Hold:
    """A gate that keeps the first chunk in which a text is found for so many times, for good."""

    def __init__(self, text: bytes, times: int = 1) -> None:
        self._text = text
        self._left = times
        self.reached = asyncio.Event()

    async def __call__(self, chunk: bytes) -> None:
        """Let a chunk through, or keep it."""
        if self._text in chunk and not self.reached.is_set():
            self._left -= 1
            if self._left == 0:
                self.reached.set()
                await asyncio.Event().wait()


class Proxy:
    """Passes bytes on to a port of this machine, those of clients through a gate."""

    def __init__(self, target: int, gate: Gate = pass_on) -> None:
        self.target = target
        self._gate = gate
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        """Listen on a port of its own."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self.drop()

    async def drop(self) -> None:
        """Close every connection that is open."""
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.CancelledError):
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.target)
        with contextlib.closing(ours):
            ways = [
                asyncio.create_task(_pump(reader, ours, self._gate)),
                asyncio.create_task(_pump(theirs, writer, pass_on)),
            ]
            try:  # whichever side closes, the other one shall notice
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: Gate) -> None:
    while chunk := await reader.read(CHUNK):
        await gate(chunk)
        writer.write(chunk)
        await writer.drain()
