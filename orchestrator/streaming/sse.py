"""Server-sent events: the session's events in the form that browsers read.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import time
from collections.abc import AsyncIterator, Sequence

from starlette.responses import StreamingResponse

from common.runs import Event

HEARTBEAT = 15.0
"""Seconds of silence after which a comment shows that the stream is alive."""
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event_stream(batches: AsyncIterator[Sequence[Event]]) -> StreamingResponse:
    """Return the response that follows these batches."""
    return StreamingResponse(_chunks(batches), media_type="text/event-stream", headers=_HEADERS)


async def _chunks(batches: AsyncIterator[Sequence[Event]]) -> AsyncIterator[str]:
    yield ": following\n\n"  # proxies and clients see the headers at once
    spoke = time.monotonic()
    async for batch in batches:
        if batch:
            yield "".join(map(encode, batch))
        elif time.monotonic() - spoke >= HEARTBEAT:
            yield ": alive\n\n"
        else:
            continue
        spoke = time.monotonic()


def encode(event: Event) -> str:
    """Return one event; a transient one has no id, so that it is never the place to resume from."""
    line = "" if event.seq is None else f"id: {event.seq}\n"
    return f"{line}event: {event.type}\ndata: {event.model_dump_json()}\n\n"
