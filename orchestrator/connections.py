"""Connection Manager: follows sessions' event streams for any number of clients."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from common.errors import SystemFault
from common.logs import get_logger
from common.runs import FINAL_EVENTS, FINAL_STATUSES, Event
from orchestrator.store.store import Store

log = get_logger(__name__)
BATCH = 500
POLL = 2.0
"""Seconds after which a follower looks by itself: a hint may be lost, an event may not."""


class ConnectionManager:
    """One listener per process wakes all followers; each reads the log from its own cursor.

    A follower that is slow holds no buffer here: it reads on when its client takes more.
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
        for session_id in self._followers:
            self.wake(session_id)

    async def follow(
        self, session_id: str, after_seq: int, run_id: str | None = None
    ) -> AsyncIterator[Sequence[Event]]:
        """Yield batches of events after `after_seq`; an empty batch says that nothing is new.

        With `run_id`, only that run's events, and the end after its last one. What the log no
        longer holds comes as one `gap` event with a snapshot.
        """
        wake = asyncio.Event()
        self._followers[session_id].add(wake)
        try:
            async for batch in self._batches(session_id, after_seq, wake):
                mine = [event for event in batch if run_id in (None, event.run_id)]
                yield mine
                if run_id is not None and any(_ends(event, run_id) for event in mine):
                    return
        finally:
            self._followers[session_id].discard(wake)
            if not self._followers[session_id]:
                del self._followers[session_id]
