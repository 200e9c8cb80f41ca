"""Connection Manager: follows sessions' events for any number of clients, on any transport."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from common.errors import ClientError
from common.runs import FINAL_EVENTS, Event, Run
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.store import Store
from orchestrator.streaming.feeds import PAUSE, Feed
from orchestrator.streaming.frames import START, Cursor, Frame
from orchestrator.streaming.reading import read_on

POLL = 2.0
"""Seconds between two looks at all that is followed: a notification may be lost, an event may not."""
POLLED = 1000
"""Sessions that one round trip asks about."""


class ConnectionManager:
    """One reader a session feeds all of its followers; one timer looks for all of them.

    A slow client holds no buffer here: once it is too far behind, its follower reads the log from
    its own cursor, whenever it takes more.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._feeds: dict[str, Feed] = {}
        self._watching: asyncio.Task[None] | None = None
        self.is_closing = False

    def wake(self, session_id: str) -> None:
        """Tell the session's reader that there may be something new."""
        if session_id in self._feeds:
            self._feeds[session_id].wake()

    def close(self) -> None:
        """End every open stream: the process is about to stop."""
        self.is_closing = True
        for feed in self._feeds.values():
            feed.end()

    async def follow(
        self, session_id: str, cursor: Cursor = START, run_id: str | None = None
    ) -> AsyncGenerator[Sequence[Frame], None]:
        """Yield batches of events after the cursor; an empty batch says that nothing is new.

        Ends with the session or the process; with `run_id` there are only that run's events, and
        the end comes after its last one. What the log no longer holds comes as one `gap` event with
        a snapshot of the run. While the store is away there is nothing new. Raises `internal` when
        the reader has failed.
        """
        with self._followed(session_id) as feed:
            async for batch in self._batches(feed, cursor, run_id):
                mine = [frame for frame in batch if run_id in (None, frame.event.run_id)]
                yield mine
                if run_id is not None and any(is_last(frame.event) for frame in mine):
                    return

    @contextmanager
    def _followed(self, session_id: str) -> Iterator[Feed]:
        """Subscribe to the session; its first follower starts the reader, the last one ends it."""
        feed = self._feeds.get(session_id)
        if feed is None or feed.is_over:
            feed = self._feeds[session_id] = Feed(self._store.events, session_id)
            self._begin(feed)
        feed.followers += 1
        try:
            yield feed
        finally:
            feed.followers -= 1
            if feed.followers == 0:
                feed.end()
                if self._feeds.get(session_id) is feed:
                    del self._feeds[session_id]

    def _begin(self, feed: Feed) -> None:
        if self.is_closing:
            feed.end()
            return
        feed.begin()
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), name="watch over what is followed")

    async def _watch(self) -> None:
        while self._feeds:
            await asyncio.sleep(POLL)
            feeds = list(self._feeds.values())
            for feed in feeds:
                feed.beat()
            for start in range(0, len(feeds), POLLED):
                await self._look_at(feeds[start : start + POLLED])

    async def _look_at(self, feeds: Sequence[Feed]) -> None:
        try:
            last_seqs = await self._store.events.last_seqs([feed.session_id for feed in feeds])
        except StoreUnavailable:
            return  # so is everything, and others say so
        for feed, last_seq in zip(feeds, last_seqs, strict=True):
            if last_seq != feed.last_seq:
                feed.wake()

    async def _batches(
        self, feed: Feed, cursor: Cursor, run_id: str | None
    ) -> AsyncIterator[Sequence[Frame]]:
        """Read the log as far as it goes, then go on with what the reader brings."""
        epoch = -1  # of the reader, when this follower had the whole log
        while not feed.is_over:
            # Before looking: what comes meanwhile sets it, or is found.
            changed, now = feed.changed, feed.epoch
            frames, is_away = feed.after(cursor) if epoch == now else None, False
            if frames is None:
                try:
                    frames, is_end = await self._read_on(feed, cursor, run_id)
                    epoch = now if is_end else -1
                except StoreUnavailable:
                    frames, is_away = (), True
            if frames:
                cursor = frames[-1].cursor or cursor
                yield frames
                continue
            await (_wait(changed, PAUSE) if is_away else changed.wait())
            if changed.is_beat:
                yield ()
        feed.check()

    async def _read_on(
        self, feed: Feed, cursor: Cursor, run_id: str | None
    ) -> tuple[Sequence[Frame], bool]:
        """Read the log from there; return also whether that was all."""
        reading = await read_on(self._store.events, feed.session_id, cursor)
        if reading is None:
            feed.wake()  # there is no such session: its reader will end all that is here
            return (), True
        if reading.missing is None:
            return reading.frames, reading.is_end
        gap = await self._gap(feed.session_id, reading.start.seq, reading.missing, run_id)
        return [Frame(gap), *reading.frames], reading.is_end

    async def _gap(
        self, session_id: str, seq: int, missing: tuple[int, int], run_id: str | None
    ) -> Event:
        """Return what stands for events that are gone: trimmed, or lost with a failed server."""
        run = None if run_id is None else await self._find(session_id, run_id)
        return Event(
            seq=seq,
            type="gap",
            time=datetime.now(UTC),
            session_id=session_id,
            run_id=run_id,
            data={
                "from_seq": missing[0],
                "to_seq": missing[1],
                "run": None if run is None else run.model_dump(mode="json"),
            },
        )

    async def _find(self, session_id: str, run_id: str) -> Run | None:
        try:
            return await self._store.runs.get(session_id, run_id)
        except ClientError:
            return None


def is_last(event: Event) -> bool:
    """Tell whether nothing more of the event's run follows."""
    if event.type == "gap":
        run = event.data["run"]
        return run is None or run["finished_at"] is not None
    return event.type in FINAL_EVENTS


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
