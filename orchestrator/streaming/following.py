"""One follower's way through a session's log, and what it is sent next."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from common.errors import ClientError
from common.runs import FINAL_EVENTS, Event, Run
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.store import Store
from orchestrator.streaming.feeds import PAUSE, Feed
from orchestrator.streaming.frames import Cursor, Frame
from orchestrator.streaming.reading import read_on


class Follower:
    """Reads the log as far as it goes, then goes on with what the session's reader brings.

    It holds its place and no frames: what its client has not taken lies in the log or the feed.
    """

    def __init__(
        self, store: Store, feed: Feed, cursor: Cursor, run_id: str | None, *, has_text: bool
    ) -> None:
        self._store = store
        self._feed = feed
        self._cursor = cursor
        self._run_id = run_id
        self._has_text = has_text
        self._heard = feed.spoken.count
        self._epoch = -1
        """Of the reader, when this follower had the whole log."""

    async def batches(self) -> AsyncIterator[Sequence[Frame]]:
        """Yield what is new, in order; an empty batch after a silence. See ConnectionManager.follow."""
        feed = self._feed
        while not feed.is_over:
            # Before looking: what comes meanwhile sets it, or is found.
            changed, is_away = feed.stirred if self._has_text else feed.changed, False
            try:
                frames = await self._events() or self._pieces()
            except StoreUnavailable:
                frames, is_away = (), True
            if frames:
                yield frames
                continue
            await (_wait(changed, PAUSE) if is_away else changed.wait())
            if changed.is_beat:
                yield ()
        feed.check()

    async def _events(self) -> Sequence[Frame]:
        """Return what follows in the log, from the feed where that has it."""
        now = self._feed.epoch  # before reading
        frames = self._feed.after(self._cursor) if self._epoch == now else None
        if frames is None:
            frames, is_end = await self._read_on()
            self._epoch = now if is_end else -1
        if frames:
            self._cursor = frames[-1].cursor or self._cursor
        return frames

    def _pieces(self) -> Sequence[Frame]:
        """Return what was said meanwhile: only where nothing of the log is known to follow."""
        if not self._has_text:
            return ()
        pieces, self._heard = self._feed.spoken.after(self._heard), self._feed.spoken.count
        return pieces

    async def _read_on(self) -> tuple[Sequence[Frame], bool]:
        """Read the log from there; return also whether that was all."""
        reading = await read_on(self._store.events, self._feed.session_id, self._cursor)
        if reading is None:
            self._feed.wake()  # there is no such session: its reader will end all that is here
            return (), True
        if reading.missing is None:
            return reading.frames, reading.is_end
        gap = await self._gap(reading.start.seq, reading.missing)
        return [Frame(gap), *reading.frames], reading.is_end

    async def _gap(self, seq: int, missing: tuple[int, int]) -> Event:
        """Return what stands for events that are gone: trimmed, or lost with a failed server."""
        run = None if self._run_id is None else await self._find(self._run_id)
        return Event(
            seq=seq,
            type="gap",
            time=datetime.now(UTC),
            session_id=self._feed.session_id,
            run_id=self._run_id,
            data={
                "from_seq": missing[0],
                "to_seq": missing[1],
                "run": None if run is None else run.model_dump(mode="json"),
            },
        )

    async def _find(self, run_id: str) -> Run | None:
        try:
            return await self._store.runs.get(self._feed.session_id, run_id)
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
