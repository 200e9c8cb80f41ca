"""Server-sent events, as browsers and proxies take them."""

import asyncio
from types import SimpleNamespace

from orchestrator.streaming.sse import EventStream


async def test_sse_stream_breaks_silence_with_a_heartbeat(monkeypatch):
    """Proxies cut silent connections."""
    monkeypatch.setattr("orchestrator.streaming.sse.SILENCE", 0.0)

    async def batches():
        yield []

    chunks = [chunk async for chunk in EventStream(batches()).body_iterator]
    assert chunks == [b": following\n\n", b": alive\n\n"]


async def test_sse_stream_lets_go_of_its_events_as_soon_as_its_client_leaves():
    """Otherwise its session's reader would go on until a collection of garbage."""
    ended, sent = [], asyncio.Event()

    async def batches():
        try:
            await asyncio.Event().wait()
            yield []
        finally:
            ended.append(True)

    async def receive():
        await sent.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.set()

    await EventStream(batches())({"type": "http"}, receive, send)
    assert ended


async def test_sse_stream_that_waits_for_its_client_lets_go_too():
    """It is not in the midst of an event then, but between two."""
    ended, waits = [], asyncio.Event()

    async def batches():
        try:
            yield [SimpleNamespace(sse=b"x")]
        finally:
            ended.append(True)

    async def receive():
        await waits.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message.get("body") == b"x":
            waits.set()
            await asyncio.Event().wait()

    await EventStream(batches())({"type": "http"}, receive, send)
    assert ended
