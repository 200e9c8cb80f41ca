"""Server-sent events, as browsers and proxies take them."""

from datetime import UTC, datetime

from common.runs import Event
from orchestrator.streaming.sse import encode, event_stream


def test_sse_event_without_a_number_has_no_id():
    """They are never the place to resume from."""
    event = Event(
        seq=7, type="run.queued", time=datetime.now(UTC), session_id="ses_" + "0" * 32, data={}
    )
    assert encode(event).startswith("id: 7\nevent: run.queued\ndata: {")
    assert encode(event.model_copy(update={"seq": None})).startswith("event: run.queued\n")


async def test_sse_stream_breaks_silence_with_a_heartbeat(monkeypatch):
    """Proxies cut silent connections."""
    monkeypatch.setattr("orchestrator.streaming.sse.HEARTBEAT", 0.0)

    async def batches():
        yield []

    chunks = [chunk async for chunk in event_stream(batches()).body_iterator]
    assert chunks == [": following\n\n", ": alive\n\n"]
