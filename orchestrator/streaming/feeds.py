"""A session's events as this process reads them: once, for all who follow."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice

from common.errors import SystemFault
from common.logs import get_logger
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.events import EventLog
from orchestrator.streaming.frames import Cursor, Frame
from orchestrator.streaming.reading import read_on
from orchestrator.streaming.spoken import Spoken

log = get_logger(__name__)
PAUSE = 1.0
"""Seconds before asking a store again that could not be reached."""
HEARTBEAT = 15.0
"""Seconds of silence after which followers are told that there is nothing new."""
WINDOW = 256
WINDOW_SIZE = 256 * 1024
"""Events, and characters of their JSON, that are kept for followers who are a little behind."""


class Change(asyncio.Event):
    """Set once, when there is something to look at: one call wakes all who wait for it."""

    is_beat = False
    """Whether it only says that the feed is alive."""


class Feed:
    """Reads a session's log from where it is now, and wakes its followers.

    What it holds is bounded: a follower that is further behind reads the log by itself.
    """

    def __init__(self, events: EventLog, session_id: str) -> None:
        self.session_id = session_id
        self.followers = 0
        self.listeners = 0
        """Those of them who want to hear what planners say, too."""
        self.changed = Change()
        """Set, and replaced by another, when there is something new in the log."""
        self.stirred = Change()
        """Likewise, and also when something was said."""
        self.spoken = Spoken()
        self.epoch = 0
        """Counts how often the log was not the one that had been read so far."""
        self.is_over = False
        self.last_seq: int | None = None
        self._events = events
        self._base: Cursor | None = None
        self._window: deque[Frame] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._spoke = time.monotonic()

    def begin(self) -> None:
        """Start to read."""
        self._reader = asyncio.create_task(self._read(), name=f"events of {self.session_id}")
        self._reader.add_done_callback(_report)

    def check(self) -> None:
        """Raise `internal` when the reader has failed: its followers end with it."""
        reader = self._reader
        if reader is not None and reader.done() and not reader.cancelled() and reader.exception():
            raise SystemFault("internal", "The events cannot be read") from reader.exception()

    def wake(self) -> None:
        """Have the log looked at: there may be something new."""
        self._wake.set()

    def beat(self) -> None:
        """Wake the followers after a silence, so that they can show that they are alive."""
        if time.monotonic() - self._spoke >= HEARTBEAT:
            self.changed.is_beat = self.stirred.is_beat = True
            self._announce()

    def say(self, piece: Frame) -> None:
        """Wake the listeners for what a planner has said; who waits for the log only sleeps on."""
        self.spoken.add(piece)
        self._stir()

    def end(self) -> None:
        """Let reader and followers end."""
        self.is_over = True
        self._wake.set()
        self._announce()

    def after(self, cursor: Cursor) -> Sequence[Frame] | None:
        """Return what is known to follow; None when only the log can tell."""
        if self._base is None:
            return ()
        at = cursor.seq - self._base.seq
        if at > len(self._window):
            return ()  # the follower has read the log a little further than this has
        here = self._base if at == 0 else None if at < 0 else self._window[at - 1].cursor
        if here is None or not here.is_same(cursor):
            return None
        return list(islice(self._window, at, None))

    async def _read(self) -> None:
        """Read until the session is gone, or nobody follows any more."""
        try:
            while not self.is_over:
                try:
                    is_end = await self._look()
                except StoreUnavailable as failure:
                    log.warning("events cannot be read now", detail=failure.detail)
                    await asyncio.sleep(PAUSE)
                else:
                    await self._until_woken(is_end)
        finally:
            self.end()  # also where this fails: nobody must wait for what will not come

    async def _until_woken(self, is_end: bool) -> None:
        if is_end and not self.is_over:
            await self._wake.wait()

    async def _look(self) -> bool:
        """Read on once; return whether that was all."""
        self._wake.clear()  # before reading: what comes meanwhile sets it again
        if self._base is None:
            return await self._begin()
        last = self._last
        found = await read_on(self._events, self.session_id, last)
        if found is None:
            self.end()
            return True
        if not found.start.is_same(last):
            self._restart(found.start)
        if found.frames or found.missing:
            self._keep(found.frames)
            self._announce()
        return found.is_end

    async def _begin(self) -> bool:
        [self.last_seq] = await self._events.last_seqs([self.session_id])
        if self.last_seq is None:
            self.end()
        else:
            self._base = Cursor(max(self.last_seq - 1, 0))  # its time is to be known, too
        return False

    @property
    def _last(self) -> Cursor:
        last = self._window[-1].cursor if self._window else self._base
        assert last is not None  # noqa: S101  # the log holds no transient events
        return last

    def _restart(self, start: Cursor) -> None:
        self.epoch += 1
        self._window.clear()
        self._base, self._size = start, 0

    def _keep(self, frames: Sequence[Frame]) -> None:
        self._window.extend(frames)
        self._size += sum(len(frame.json) for frame in frames)
        while len(self._window) > 1 and (len(self._window) > WINDOW or self._size > WINDOW_SIZE):
            oldest = self._window.popleft()
            self._base = oldest.cursor
            self._size -= len(oldest.json)
        self.last_seq = self._last.seq

    def _announce(self) -> None:
        self._spoke = time.monotonic()
        changed, self.changed = self.changed, Change()
        changed.set()
        self._stir()

    def _stir(self) -> None:
        stirred, self.stirred = self.stirred, Change()
        stirred.set()


def _report(reader: asyncio.Task[None]) -> None:
    if not reader.cancelled() and reader.exception() is not None:
        log.error("a reader of events failed", exc_info=reader.exception())
