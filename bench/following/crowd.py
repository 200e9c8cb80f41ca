"""`python -m bench.following.crowd`: a thousand followers on raw sockets, in a process of their own.

The first line of its input says where to connect: `{"port": …, "streams": [["sse" | "ws", path], …]}`.
It prints `ready` once all are open; for each further line, how many milliseconds each event took
since the line before, as a JSON list.
"""

import asyncio
import base64
import json
import re
import resource
import sys
import time
from datetime import datetime
from typing import cast

import uvloop

AT_ONCE = 50
_TIME = re.compile(rb'"time":"([^"]+)"')
_UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
_KEY = base64.b64encode(b"x" * 16).decode()
_HEADERS = {"sse": "", "ws": f"{_UPGRADE}Sec-WebSocket-Key: {_KEY}\r\n"}
Arrivals = list[tuple[float, bytes]]


class Follower(asyncio.Protocol):
    """Notes when what comes has come; answers pings."""

    def __init__(self, kind: str, path: str, arrivals: Arrivals) -> None:
        self._head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{_HEADERS[kind]}\r\n"
        self._arrivals = arrivals
        self.is_open = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the events."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._head.encode())

    def data_received(self, data: bytes) -> None:
        """Note it, and look at it later."""
        self._arrivals.append((time.time(), data))
        if data[0] == 0x89:
            self._transport.write(bytes([0x8A, 0x80 | data[1], 0, 0, 0, 0]) + data[2 : 2 + data[1]])
        self.is_open.set()


def delays(arrivals: Arrivals) -> list[float]:
    """Return the milliseconds between each event's own time and its arrival."""
    return [
        (arrived - datetime.fromisoformat(text.decode()).timestamp()) * 1000
        for arrived, data in arrivals
        for text in _TIME.findall(data)
    ]


async def follow() -> None:
    """Open all, then answer each line."""
    lines = asyncio.StreamReader(limit=2**20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    asked = json.loads(await lines.readline())
    arrivals: Arrivals = []
    gate = asyncio.Semaphore(AT_ONCE)

    async def open_one(kind: str, path: str) -> asyncio.Transport:
        async with gate:
            transport, follower = await loop.create_connection(
                lambda: Follower(kind, path, arrivals), "127.0.0.1", asked["port"]
            )
            await follower.is_open.wait()
            return transport

    transports = await asyncio.gather(*(open_one(kind, path) for kind, path in asked["streams"]))
    print("ready", flush=True)
    while await lines.readline():
        print(json.dumps(delays(arrivals)), flush=True)
        arrivals.clear()
    for transport in transports:
        transport.abort()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(follow())
