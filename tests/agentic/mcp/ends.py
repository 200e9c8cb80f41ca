"""A wire over pipes, and the ends of them that a client has."""

import asyncio
import contextlib
import os

from agentic.mcp.wire import Wire

LINE = b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'


class Ends:
    """The other ends of a wire's pipes."""

    def __init__(self):
        theirs, self.write = os.pipe()
        self.read, ours = os.pipe()
        self.wire = Wire(os.fdopen(theirs, "rb"), os.fdopen(ours, "wb", buffering=0))
        self._got = b""
        self._files = [self.wire._source, self.wire._sink]

    async def some(self):
        """Return bytes that have come, once there are any; no thread is left behind where there are none."""
        there, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(self.read, there.set)
        try:
            async with asyncio.timeout(5):
                await there.wait()
        finally:
            loop.remove_reader(self.read)
        return os.read(self.read, 100_000)

    async def line(self):
        """Return the next line that has come."""
        while b"\n" not in self._got:
            self._got += await self.some()
        line, _, self._got = self._got.partition(b"\n")
        return line

    def close(self):
        """Close all that is open still; what waits for a line gets the end."""
        for number in (self.write, self.read):
            with contextlib.suppress(OSError):
                os.close(number)
        for file in self._files:
            with contextlib.suppress(BrokenPipeError):
                file.close()
