"""A door for MCP clients: each request is handed to the protocol's library, which answers every revision.

The library is loaded at the first request, in a thread: it takes a second. Nothing is kept between two
requests; a client that goes ends its own.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import anyio
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send


class Server(Protocol):
    """What is behind the door, once it is loaded (`serving.py`)."""

    async def keep(self, ready: asyncio.Event) -> None:
        """Be ready for requests until cancelled."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""


class Door:
    """Opens at the first request, and closes with the process."""

    def __init__(self, load: Callable[[], Server]) -> None:
        """`load` takes long, and is called once, in a thread."""
        self._load = load
        self._opening: asyncio.Task[Server] | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def opened(self) -> Server:
        """Return what is behind the door."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(self._open(), name="opening the door for MCP")
        return await asyncio.shield(self._opening)

    async def _open(self) -> Server:
        server = await asyncio.to_thread(self._load)
        ready = asyncio.Event()
        self._keeping = asyncio.create_task(server.keep(ready), name="MCP")
        await ready.wait()
        return server

    async def aclose(self) -> None:
        """End what is under way, and return once it has ended."""
        for task in filter(None, (self._opening, self._keeping)):
            task.cancel()
            await asyncio.wait({task})  # one that has failed has told its requests


class Handed(Response):
    """The answer of what is behind a door."""

    def __init__(self, server: Server, body: bytes) -> None:
        super().__init__()
        self._server = server
        self._asked = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have it answer; a client that goes meanwhile ends that."""
        async with anyio.create_task_group() as both:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                both.cancel_scope.cancel()

            both.start_soon(watch)
            await self._server.handle(scope, _once(self._asked), send)
            both.cancel_scope.cancel()


def _once(body: bytes) -> Receive:
    """Return what gives a body that was read already; that its client goes is none of its business."""
    left = [body]

    async def receive() -> Message:
        if not left:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": left.pop(), "more_body": False}

    return receive
