"""Events as they go out, and the places from which clients go on."""

from datetime import UTC, datetime

import pytest

from common.runs import Event
from orchestrator.streaming.frames import MAX_SEQ, Cursor, Frame

EVENT = Event(
    seq=7,
    type="run.queued",
    time=datetime.fromtimestamp(1_700_000_000.123, UTC),
    session_id="ses_" + "0" * 32,
    data={},
)


def frame(**changed):
    """Return the frame of such an event."""
    return Frame(EVENT.model_copy(update=changed))


def test_event_id_is_the_number_and_the_time():
    """A failover can hand a number out twice."""
    assert frame().sse.startswith(b"id: 7.1700000000123\nevent: run.queued\ndata: {")
    assert Cursor.parse("7.1700000000123") == frame().cursor


def test_sse_event_without_a_number_has_no_id_and_a_gap_no_time():
    """The one is never the place to resume from; the other's own time is that of no entry."""
    assert frame(seq=None).sse.startswith(b"event: run.queued\n")
    assert frame(type="gap").sse.startswith(b"id: 7\nevent: gap\n")


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        ("0", Cursor(0)),
        ("007", Cursor(7)),
        ("9" * 30, Cursor(MAX_SEQ)),
        ("0" * 5000 + "8.5", Cursor(8, 5)),
        ("9" * 5000 + "." + "9" * 5000, Cursor(MAX_SEQ, MAX_SEQ)),
        ("3.0", Cursor(3, 0)),
    ],
)
def test_cursor_may_have_any_number_of_digits(text, cursor):
    """It is the client's word: neither Redis nor Python has to choke on it."""
    assert Cursor.parse(text) == cursor
    assert Cursor.parse(str(cursor)) == cursor
