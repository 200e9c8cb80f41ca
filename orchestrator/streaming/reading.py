"""Reads a session's log on from a cursor, and notices where it is not the log that the client knew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.store.events import EventLog
from orchestrator.streaming.frames import Cursor, Frame

BATCH = 100
MOST = 256 * 1024
"""Events that are read at a time, and characters of their JSON that are kept of them: what a follower
holds until its client has taken it. One event may be longer."""


@dataclass(frozen=True)
class Reading:
    """What follows a cursor."""

    frames: Sequence[Frame]
    start: Cursor
    """What `frames` follow: the cursor asked for, unless something is missing."""
    missing: tuple[int, int] | None
    """The first and the last number that was trimmed, or lost or given out anew by a failover."""
    is_end: bool
    """Whether there was nothing behind them."""


async def read_on(log: EventLog, session_id: str, cursor: Cursor) -> Reading | None:
    """Return what follows; None when there is no such session (any more)."""
    # The entry at the cursor is read again: its time shows whether it is still the same event.
    behind = cursor.seq if cursor.ms is None else max(cursor.seq - 1, 0)
    found = await log.after(session_id, behind, BATCH)
    if found.last_seq is None:
        return None
    frames = [Frame(entry.head, entry.json) for entry in found.entries]
    at_cursor = frames.pop(0) if frames and frames[0].event.seq == cursor.seq else None
    start, missing = _compare(cursor, at_cursor, frames, found.last_seq)
    kept = list(_first(frames))
    is_end = len(found.entries) < BATCH and len(kept) == len(frames)
    return Reading(kept, start, missing, is_end)


def _first(frames: Sequence[Frame]) -> Iterator[Frame]:
    """Yield as many as may be kept, one at least."""
    size = 0
    for frame in frames:
        size += len(frame.json)
        if size > MOST and frame is not frames[0]:
            return
        yield frame


def _compare(
    cursor: Cursor, at_cursor: Frame | None, frames: Sequence[Frame], last_seq: int
) -> tuple[Cursor, tuple[int, int] | None]:
    here = None if at_cursor is None else at_cursor.cursor
    if here is not None and not here.is_same(cursor):
        return here, (1, cursor.seq)  # where the two logs part cannot be known
    following = frames[0].event.seq if frames else last_seq + 1
    if following is None or following == cursor.seq + 1:
        return cursor, None
    first, last = sorted((cursor.seq + 1, following))
    return Cursor(following - 1), (first, last - 1)
