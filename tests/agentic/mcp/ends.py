"""A wire over pipes, and the ends of them that a client has."""

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
        self._files = [self.wire._source, self.wire._sink]

    def close(self):
        """Close all that is open still; what waits for a line gets the end."""
        for number in (self.write, self.read):
            with contextlib.suppress(OSError):
                os.close(number)
        for file in self._files:
            with contextlib.suppress(BrokenPipeError):
                file.close()
