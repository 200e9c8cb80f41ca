"""Connection Manager: follows sessions' events for any number of clients, on any transport."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.store import Store
from orchestrator.streaming.feeds import Feed
from orchestrator.streaming.following import Follower, is_last
from orchestrator.streaming.frames import START, Cursor, Frame
from orchestrator.streaming.listening import Listening
from orchestrator.streaming.settling import Settling

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
        self.settling = Settling(store)
        self._listening = Listening(store.texts)
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
        self._listening.close()
        self.settling.close()

    async def aclose(self) -> None:
        """Close, and return once no connection to the store is held for this any more."""
        self.close()
        await self._listening.closed()

    async def follow(
        self,
        session_id: str,
        cursor: Cursor = START,
        run_id: str | None = None,
        *,
        has_text: bool = False,
    ) -> AsyncGenerator[Sequence[Frame], None]:
        """Yield batches of events after the cursor; an empty batch says that nothing is new.

        With `has_text` there are `text.delta` events as well: what is said from now on, each when
        all of the log has come that is known by then. Whoever is slow misses some.

        Ends with the session or the process; with `run_id` there are only that run's events, and
        the end comes after its last one. What the log no longer holds comes as one `gap` event with
        a snapshot of the run. While the store is away there is nothing new. Raises `internal` when
        the reader has failed.
        """
        with self._followed(session_id, has_text) as feed:
            follower = Follower(self._store, feed, cursor, run_id, has_text=has_text)
            async for batch in follower.batches():
                mine = [frame for frame in batch if run_id in (None, frame.event.run_id)]
                yield mine
                if run_id is not None and any(is_last(frame.event) for frame in mine):
                    return

    @contextmanager
    def _followed(self, session_id: str, has_text: bool) -> Iterator[Feed]:
        """Subscribe to the session; its first follower starts the reader, the last one ends it."""
        feed = self._feeds.get(session_id)
        if feed is None or feed.is_over:
            feed = self._feeds[session_id] = Feed(self._store.events, session_id)
            self._begin(feed)
        feed.followers += 1
        try:
            with self._listening.to(feed) if has_text else nullcontext():
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
