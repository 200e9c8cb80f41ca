"""Server-sent events: the session's events in the form that browsers read.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Protocol

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

SILENCE = 10.0
"""Seconds after which a comment may show that the stream is alive: a feed beats every 15."""
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Encoded(Protocol):
    """An event as it goes out."""

    @property
    def sse(self) -> bytes:
        """Its lines, the empty one behind them included."""


class EventStream(StreamingResponse):
    """The response that follows these batches, and lets go of them as soon as its client leaves."""

    def __init__(self, batches: AsyncGenerator[Sequence[Encoded], None]) -> None:
        self._batches = batches
        super().__init__(_chunks(batches), media_type="text/event-stream", headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the events or the client end."""
        async with aclosing(self._batches):
            await super().__call__(scope, receive, send)


async def _chunks(batches: AsyncIterator[Sequence[Encoded]]) -> AsyncIterator[bytes]:
    yield b": following\n\n"  # proxies and clients see the headers at once
    spoke = time.monotonic()
    async for batch in batches:
        if batch:
            yield b"".join(frame.sse for frame in batch)
        elif time.monotonic() - spoke >= SILENCE:
            yield b": alive\n\n"
        else:
            continue
        spoke = time.monotonic()
