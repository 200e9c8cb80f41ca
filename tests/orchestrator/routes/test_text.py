"""What a planner says, over both transports while it says it, as its run's owner stores it."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.orchestrator.builders import DONE, document
from tests.orchestrator.fakes import until

SOON = 20.0


@asynccontextmanager
async def sse(service, session_id, run_id):
    """Yield what returns the next event over SSE, with its id."""
    url = f"http://{service.base}/v1/sessions/{session_id}/events"
    async with (
        asyncio.timeout(SOON),
        httpx.AsyncClient() as http,
        http.stream("GET", url, params={"run_id": run_id}) as answer,
    ):
        lines = answer.aiter_lines()

        async def following():
            event_id = None
            async for line in lines:
                if line.startswith("id: "):
                    event_id = line.removeprefix("id: ")
                if line.startswith("data: "):
                    return event_id, json.loads(line.removeprefix("data: "))
            raise EOFError

        yield following


@asynccontextmanager
async def websocket(service, session_id, run_id):
    """Yield what returns the next event over a WebSocket; there are no ids."""
    url = f"ws://{service.base}/v1/sessions/{session_id}/ws?run_id={run_id}"
    async with asyncio.timeout(SOON), connect(url, proxy=None) as client:

        async def following():
            return None, json.loads(await client.recv())

        yield following


@pytest.mark.parametrize("transport", [sse, websocket])
async def test_text_comes_while_it_is_said_and_is_no_place_to_resume_from(
    live, store, session, transport
):
    """Offsets count bytes: a client that sees a hole knows it, and reads the run's text so far."""
    service, run = await live(), document((await session("local")).id)
    await store.runs.create(run, "reject")
    lease = await store.leases.acquire(run.session_id, run.id, "w")
    async with transport(service, lease.session.id, lease.run.id) as following:
        assert [(await following())[1]["type"] for _ in range(2)] == ["run.queued", "run.started"]
        channel = store.backend.keys.text_channel(lease.session.id)

        async def is_heard():
            return await store.backend.redis.pubsub_numsub(channel) == [(channel, 1)]

        await until(is_heard)
        await store.conversation.append_text(lease, 1, 0, "Grüß")
        await store.conversation.append_text(lease, 1, 6, " Gott")
        await store.conversation.append_text(lease, 1, 0, "Hallo")
        pieces = [await following() for _ in range(3)]
        await store.progress.finish(lease, DONE)
        service.manager.wake(lease.session.id)
        _, last = await following()
    assert [event_id for event_id, _ in pieces] == [None] * 3
    assert [(event["type"], event["seq"]) for _, event in pieces] == [("text.delta", None)] * 3
    assert {event["run_id"] for _, event in pieces} == {lease.run.id}
    assert [event["data"] for _, event in pieces] == [
        {"t": 1, "attempt": 1, "offset": 0, "text": "Grüß"},
        {"t": 1, "attempt": 1, "offset": 6, "text": " Gott"},
        {"t": 1, "attempt": 2, "offset": 0, "text": "Hallo"},
    ]
    assert (last["type"], last["seq"]) == ("run.succeeded", 4)
