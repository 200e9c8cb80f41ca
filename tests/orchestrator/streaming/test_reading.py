"""Reading a log on: as much at a time as a follower may hold, and every event once."""

from datetime import UTC, datetime

import pytest

from common.runs import Event
from orchestrator.store.events import Entry, LogSlice
from orchestrator.streaming.frames import START
from orchestrator.streaming.reading import MOST, read_on

SESSION = f"ses_{0:032x}"


class Log:
    """A log of events whose data have these lengths."""

    def __init__(self, *lengths):
        self._entries = [
            Entry(_head(seq), f'{{"a":"{"x" * length}"}}') for seq, length in enumerate(lengths, 1)
        ]

    async def after(self, _session_id, seq, count):
        """Return what follows."""
        return LogSlice(self._entries[seq : seq + count], len(self._entries))


def _head(seq):
    now = datetime.now(UTC)
    return Event(seq=seq, type="run.planned", time=now, session_id=SESSION, data={})


@pytest.mark.parametrize(
    "lengths", [[10] * 250, [100_000] * 250, [10, 2 * MOST, 10, 2 * MOST], [2 * MOST] * 3, []]
)
async def test_what_is_read_at_a_time_is_bounded_by_its_size(lengths):
    """Slow clients whose session had long events held 13 MB each: two hundred of them 2.7 GB."""
    log, cursor, seqs = Log(*lengths), START, []
    while True:
        reading = await read_on(log, SESSION, cursor)
        assert reading.missing is None
        size = sum(len(frame.json) for frame in reading.frames)
        assert size <= MOST or len(reading.frames) == 1
        seqs += [frame.event.seq for frame in reading.frames]
        if reading.is_end:
            break
        cursor = reading.frames[-1].cursor
    assert seqs == list(range(1, len(lengths) + 1))
