"""Hands on what planners say, while it is said, to those who follow their sessions."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from common.logs import get_logger
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.texts import Texts, Wanted
from orchestrator.streaming.feeds import Feed
from orchestrator.streaming.frames import Frame

PAUSE = 1.0
"""Seconds before listening again after the store failed."""
log = get_logger(__name__)


class Listening:
    """One connection for all sessions that are listened to; the last listener's end closes it."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._feeds: dict[str, Feed] = {}
        self._wanted = Wanted()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def to(self, feed: Feed) -> Iterator[None]:
        """Have what is said in the feed's session added to it, for one more listener."""
        feed.listeners += 1
        if self._feeds.get(feed.session_id) is not feed and not feed.is_over:
            self._feeds[feed.session_id] = feed
            self._wanted.add(feed.session_id)
            self._begin()
        try:
            yield
        finally:
            feed.listeners -= 1
            if feed.listeners == 0 and self._feeds.get(feed.session_id) is feed:
                del self._feeds[feed.session_id]
                self._wanted.discard(feed.session_id)

    def close(self) -> None:
        """Stop listening: the process is about to stop."""
        if self._task is not None:
            self._task.cancel()

    async def closed(self) -> None:
        """Return once the connection is closed."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen(), name="what planners say")
            self._task.add_done_callback(_report)

    async def _listen(self) -> None:
        while self._wanted:
            try:
                async with aclosing(self._texts.spoken(self._wanted)) as events:
                    async for event in events:
                        if (feed := self._feeds.get(event.session_id)) is not None:
                            feed.say(Frame(event))
            except StoreUnavailable:  # the store has logged it
                await asyncio.sleep(PAUSE)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("what planners say cannot be heard", exc_info=task.exception())
