"""A server of this process with routes that answer, wait, break off, or send a lot."""

import asyncio
import socket

import uvicorn
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from common.web.body import JsonRoute, read_body

KIB = b"x" * 1024
LARGE = 8 * 1024
"""KiB: more than the kernel keeps for a client that does not read."""
SOON = 20.0
"""Seconds: far more than what is waited for here takes, far less than for ever."""


class Broken(Response):
    """An answer that breaks off as soon as the server has to keep some of it."""

    def __init__(self, is_kept, gate: asyncio.Event) -> None:
        super().__init__()
        self._is_kept, self._gate = is_kept, gate

    async def __call__(self, scope, receive, send) -> None:
        """Send until nobody takes it."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not self._is_kept():
            await send({"type": "http.response.body", "body": KIB, "more_body": True})
        self._gate.set()


def router(gate: asyncio.Event, is_kept) -> APIRouter:
    routes = APIRouter(route_class=JsonRoute)

    @routes.post("/echo")
    async def echo(request: Request) -> tuple[str, list[tuple[str, str]]]:
        return (await read_body(request, 100)).decode(), request.headers.items()

    @routes.post("/json")
    async def take(body: dict[str, int]) -> None:
        """Take a body of a few bytes."""

    @routes.get("/large")
    async def large() -> StreamingResponse:
        return StreamingResponse(_large())

    @routes.get("/broken")
    async def broken() -> Response:
        return Broken(is_kept, gate)

    @routes.get("/slow")
    async def slow() -> str:
        await gate.wait()
        return "done"

    return routes


async def _large():
    for _ in range(LARGE):
        yield KIB


class Serving:
    """A server of this process, whose patience the test chooses."""

    def __init__(self, server: uvicorn.Server, gate: asyncio.Event) -> None:
        self.server, self.gate = server, gate
        self.address = server.servers[0].sockets[0].getsockname()
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, received: int | None = None):
        """Open a connection; `received` bounds what the kernel keeps for it, in bytes."""
        client = socket.socket()
        client.setblocking(False)
        if received is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
        await asyncio.get_running_loop().sock_connect(client, self.address)
        reader, writer = await asyncio.open_connection(sock=client, limit=1024)
        self._writers.append(writer)
        return reader, writer

    def end(self) -> None:
        """Stop serving; close what the test has opened."""
        self.gate.set()
        self.server.should_exit = True
        for writer in self._writers:
            writer.transport.abort()

    async def is_free(self) -> None:
        """Wait until it has no connection."""
        async with asyncio.timeout(SOON):
            while self.server.server_state.connections:
                await asyncio.sleep(0.01)
