"""Connection Manager: follows sessions' event streams for any number of clients."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from common.errors import ClientError
from common.runs import FINAL_EVENTS, Event, Run
from orchestrator.store.store import Store

BATCH = 500
POLL = 2.0
"""Seconds after which a follower looks by itself: a notification may be lost, an event may not."""


class ConnectionManager:
    """Followers read the log from their own cursors; one notification wakes all of a session's.

    A slow client holds no buffer here: its follower reads on when it takes more.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._closing = False

    def wake(self, session_id: str) -> None:
        """Tell the session's followers that there may be something new."""
        for follower in self._followers.get(session_id, ()):
            follower.set()

    def close(self) -> None:
        """End every open stream: the process is about to stop."""
        self._closing = True
        for session_id in list(self._followers):
            self.wake(session_id)

    async def follow(
        self, session_id: str, after_seq: int, run_id: str | None = None
    ) -> AsyncIterator[Sequence[Event]]:
        """Yield batches of events after `after_seq`; an empty batch says that nothing is new.

        With `run_id`: only that run's events, and the end after its last one. What the log no
        longer holds comes as one `gap` event with a snapshot of the run.
        """
        wake = asyncio.Event()
        # Before the first read: an event that comes after it wakes this follower.
        self._followers[session_id].add(wake)
        try:
            async for batch in self._batches(session_id, after_seq, run_id, wake):
                mine = [event for event in batch if run_id in (None, event.run_id)]
                yield mine
                if run_id is not None and any(_is_last(event) for event in mine):
                    return
        finally:
            self._followers[session_id].discard(wake)
            if not self._followers[session_id]:
                del self._followers[session_id]

    async def _batches(
        self, session_id: str, cursor: int, run_id: str | None, wake: asyncio.Event
    ) -> AsyncIterator[Sequence[Event]]:
        """Read the log on from `cursor`, the number of the last event that was yielded."""
        while not self._closing:
            wake.clear()  # before reading: what comes while it reads sets it again
            log = await self._store.events.after(session_id, cursor, BATCH)
            if log.last_seq is None:
                return  # the session was deleted or has expired
            batch = log.events
            # Numbers have no holes: any other than the next one says that events are gone.
            following = batch[0].seq if batch else log.last_seq + 1
            if following is not None and following != cursor + 1:
                batch = [await self._gap(session_id, cursor, following, run_id), *batch]
            # With no events, the log's own number: lower than ours where a server lost its last ones.
            cursor = log.last_seq if not log.events else batch[-1].seq or cursor
            yield batch
            if not batch:
                await _wait(wake, POLL)

    async def _gap(self, session_id: str, cursor: int, following: int, run_id: str | None) -> Event:
        """Return what stands for events that are gone: trimmed, or lost with a failed server."""
        run = None if run_id is None else await self._find(session_id, run_id)
        first, last = sorted((cursor + 1, following))
        return Event(
            seq=following - 1,
            type="gap",
            time=datetime.now(UTC),
            session_id=session_id,
            run_id=run_id,
            data={
                "from_seq": first,
                "to_seq": last - 1,
                "run": None if run is None else run.model_dump(mode="json"),
            },
        )

    async def _find(self, session_id: str, run_id: str) -> Run | None:
        try:
            return await self._store.runs.get(session_id, run_id)
        except ClientError:
            return None


def _is_last(event: Event) -> bool:
    if event.type == "gap":
        run = event.data["run"]
        return run is None or run["finished_at"] is not None
    return event.type in FINAL_EVENTS


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
