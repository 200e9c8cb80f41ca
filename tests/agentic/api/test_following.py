"""Following events over connections that break."""

import httpx
import pytest

from agentic import ClientError, SystemFault
from agentic.api.following import ATTEMPTS
from common.errors import error
from tests.agentic.fakes import (
    RUN_ID,
    SESSION,
    Script,
    a_delta,
    a_run,
    an_event,
    problem,
    stream,
)  # fmt: skip

QUEUED, STARTED, ENDED = (
    an_event(1, "run.queued"),
    an_event(2, "run.started", attempt=1),
    an_event(3, "run.succeeded", result={}),
)
CUT = httpx.ReadError("cut")


async def followed(client, run_id=RUN_ID, after_seq=0, seen=None):
    """The sequence numbers until the end; `seen` has them when it ends with an error."""
    seen = [] if seen is None else seen
    async for event in client.events(SESSION.id, run_id, after_seq):
        seen.append(event.seq)
    return seen


async def test_a_broken_stream_is_resumed_after_the_last_event(connect):
    """Nothing is lost, nothing comes twice, and the caller notices nothing."""
    script = Script(stream(QUEUED, CUT), CUT, stream(QUEUED, STARTED), stream(STARTED, ENDED))
    client = await connect(script)
    assert await followed(client) == [1, 2, 3]
    assert [request.headers["last-event-id"] for request in script.requests] == ["0", "1", "1", "2"]
    assert {request.url.params["run_id"] for request in script.requests} == {RUN_ID}


async def test_a_stream_is_resumed_with_the_id_as_it_was_given(connect):
    """It is more than the number: a service whose log has lost its end tells the difference."""
    started = b"id: 2.1767225600000\ndata: " + STARTED.model_dump_json().encode() + b"\n\n"
    script = Script(stream(started, CUT), stream(ENDED))
    assert await followed(await connect(script)) == [2, 3]
    assert [request.headers["last-event-id"] for request in script.requests] == [
        "0", "2.1767225600000",
    ]  # fmt: skip


async def test_an_event_of_an_unknown_type_is_passed_on(connect):
    """A newer service tells more than this client knows."""
    script = Script(stream(QUEUED, an_event(2, "run.pondered", on="it"), ENDED))
    assert await followed(await connect(script)) == [1, 2, 3]


async def test_an_event_that_was_cut_in_half_is_read_on_the_next_connection(connect):
    """Half of a JSON document is not an event."""
    script = Script(stream(QUEUED, b'id: 2\ndata: {"seq"', CUT), stream(STARTED, ENDED))
    assert await followed(await connect(script)) == [1, 2, 3]


async def test_following_starts_where_the_caller_left_off(connect):
    """A client that was restarted goes on from its own record."""
    script = Script(stream(QUEUED, STARTED, ENDED))
    assert await followed(await connect(script), after_seq=2) == [3]
    assert script.requests[0].headers["last-event-id"] == "2"


async def test_following_gives_up_with_the_last_fault(connect, monkeypatch):
    """An orchestrator that stays away must not hold a caller for ever."""
    monkeypatch.setattr("agentic.api.transport.LONGEST_PAUSE", 0.01)
    script = Script(stream(QUEUED), httpx.ConnectError("down"))
    client, seen = await connect(script), []
    with pytest.raises(SystemFault) as caught:
        await followed(client, seen=seen)
    assert (seen, caught.value.code) == ([1], "unavailable")
    assert len(script.requests) == ATTEMPTS


async def test_a_refusal_ends_following_at_once(connect):
    """A session that is gone does not come back."""
    script = Script(stream(QUEUED), problem(error("session_not_found", "gone")))
    with pytest.raises(ClientError, match="session_not_found"):
        await followed(await connect(script))
    assert len(script.requests) == 2


async def test_a_service_that_is_coming_back_is_waited_for(connect):
    """A restart answers 503 for a moment."""
    script = Script(problem(error("unavailable", "stopping")), stream(QUEUED, ENDED))
    assert await followed(await connect(script)) == [1, 3]


async def test_what_is_not_an_event_is_a_fault_and_not_a_traceback(connect):
    """And the next connection may bring a good one."""
    script = Script(stream(QUEUED, b"data: {}\n\n"), stream(ENDED))
    assert await followed(await connect(script)) == [1, 3]


@pytest.mark.parametrize("run", [None, a_run().model_dump(mode="json")])
async def test_a_gap_after_the_runs_end_ends_following(connect, run):
    """Its last event is no longer in the log: waiting for it would never end."""
    script = Script(stream(an_event(9, "gap", from_seq=1, to_seq=9, run=run)))
    assert await followed(await connect(script)) == [9]


async def test_a_gap_while_the_run_goes_on_is_passed_on(connect):
    """Even one before the cursor, which a store that lost its end sends."""
    run = a_run(status="running", finished_at=None).model_dump(mode="json")
    gap = an_event(4, "gap", from_seq=5, to_seq=7, run=run)
    script = Script(stream(gap, an_event(5, "run.succeeded")))
    assert await followed(await connect(script), after_seq=7) == [4, 5]


async def test_transient_events_are_passed_on_and_are_no_place_to_resume_from(connect):
    """They have no number."""
    script = Script(stream(STARTED, an_event(None, "step.delta", text="x"), CUT), stream(ENDED))
    assert await followed(await connect(script)) == [2, None, 3]
    assert script.requests[1].headers["last-event-id"] == "2"


async def test_what_is_being_said_is_passed_on_without_moving_the_place(connect):
    """Pieces lie between numbered events on every connection, and the same piece may come twice."""
    said = a_delta("x", 2)
    script = Script(stream(said, CUT), stream(QUEUED, said, said, CUT), stream(QUEUED, said, ENDED))
    assert await followed(await connect(script)) == [None, 1, None, None, None, 3]
    assert [request.headers["last-event-id"] for request in script.requests] == ["0", "0", "1"]


async def test_a_session_is_followed_past_the_end_of_its_runs(connect):
    """Without a run there is no last event: it ends when the session does."""
    gone = problem(error("session_not_found", "deleted"))
    client, seen = await connect(Script(stream(QUEUED, ENDED), gone)), []
    with pytest.raises(ClientError):
        await followed(client, None, seen=seen)
    assert seen == [1, 3]
