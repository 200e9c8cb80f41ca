"""`agentic mcp` as a program that MCP clients start."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

ARGUMENTS = ["-c", "from agentic.cli import main; main()", "mcp"]
COMMAND = [sys.executable, *ARGUMENTS]


@asynccontextmanager
async def started(*options, era="auto", said=None):
    """Yield the official client of a program with these options; `said` as in `connected`."""
    asked = []

    async def answer(_context, params):
        asked.append(params.message)
        return said

    program = StdioServerParameters(
        command=sys.executable, args=[*ARGUMENTS, *options], env=dict(os.environ)
    )
    callback = None if said is None else answer
    async with Client(stdio_client(program), mode=era, elicitation_callback=callback) as client:
        client.asked = asked
        yield client


def opened(*options, **more):
    """Start the program on pipes of the test's own."""
    return subprocess.Popen(
        [*COMMAND, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def line(method, params=None, number=None):
    """Return a message of a client with a handshake, as a line."""
    message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    return json.dumps(message if number is None else {**message, "id": number}) + "\n"


INITIALIZE = line(
    "initialize",
    {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
    number=0,
)


class Losing:
    """A proxy that passes requests on, and loses the first answers to those that hold a text."""

    def __init__(self, target, text, times):
        self._target = target
        self._text = text
        self.left = times
        self.port = 0

    @asynccontextmanager
    async def serving(self):
        """Listen on a port of its own."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{self.port}"
        finally:
            server.close()

    async def _accept(self, reader, writer):
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._target)
        is_lost = asyncio.Event()
        with contextlib.closing(writer), contextlib.closing(ours):
            ways = [
                asyncio.create_task(self._forth(reader, ours, is_lost)),
                asyncio.create_task(_back(theirs, writer, is_lost)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _forth(self, reader, writer, is_lost):
        while chunk := await reader.read(65536):
            if self._text in chunk and self.left:
                self.left -= 1
                is_lost.set()
            writer.write(chunk)
            await writer.drain()


async def _back(reader, writer, is_lost):
    """Pass answers on up to one that is to be lost: by then its call has happened."""
    while (chunk := await reader.read(65536)) and not is_lost.is_set():
        writer.write(chunk)
        await writer.drain()
