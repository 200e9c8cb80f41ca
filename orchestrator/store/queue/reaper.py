"""The reaper: finds runs that nobody looks after, and puts right what the indexes say of them."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from common.runs import FINAL_STATUSES
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.queue.indexes import AT_ONCE
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.sessions import keep_session, may_come

BATCH = 32
"""Runs that are looked at side by side: a dead worker leaves as many, and none has time to lose."""
MAX_BATCHES = 30
"""Of each index, at a time: the rest is looked at the next time."""
MARGIN = timedelta(seconds=1)
"""How much earlier than its entry in the stream a wake-up may have been noted."""


@dataclass(frozen=True)
class _Entry:
    """An entry of an index, and what the run's hash and the session's say: the truth."""

    index: str
    ref: RunRef
    score: int
    status: str | None
    deadline: int
    active: str
    ttl: int

    @property
    def is_gone(self) -> bool:
        """Whether there is no such run, though its session may still count it as its active one."""
        return self.status is None and self.active != self.ref.run_id

    @property
    def is_ready(self) -> bool:
        """Whether the run could start: it is queued, and no other one of its session is ahead."""
        return self.status in (None, "queued") and self.active == self.ref.run_id


class Reaper:
    """Wakes the runs of owners that fell silent, and those whose wake-up was lost."""

    def __init__(self, backend: Backend, queue: Queue) -> None:
        self._backend = backend
        self._keys = backend.keys
        self._queue = queue
        self._indexes = queue.indexes

    async def find_silent(self) -> list[RunRef]:
        """Wake workers for the runs whose owner fell silent; return those runs.

        They go before everything else, however much of that is due: hence a look of their own.
        """
        now = await self._queue.now()
        return await self._look_through(self._keys.running, now, now)

    async def reap(self) -> None:
        """Look once at all other runs that are due: repeat lost wake-ups, keep sessions alive."""
        now = await self._queue.now()
        await self._adopt()
        await self._look_through(self._keys.parked, now, now)
        # Lost is a wake-up that no worker has acted on for a lease, unless none could have: it lies
        # in the stream behind others. The stream need not be empty for that, only be past it.
        oldest = await self._queue.wakeups.oldest()
        past = now if oldest is None else oldest - milliseconds(MARGIN)
        lease = milliseconds(self._backend.config.lease)
        await self._look_through(self._keys.queued, min(now - lease, past), now)

    async def _look_through(self, index: str, until: int, now: int) -> list[RunRef]:
        woken = []
        for _ in range(MAX_BATCHES):
            entries = await self._read(index, until)
            needed = await asyncio.gather(*(self._look(entry, now) for entry in entries))
            woken += [
                entry.ref for entry, was_woken in zip(entries, needed, strict=True) if was_woken
            ]
            if len(entries) < BATCH:
                break
        return woken

    async def _read(self, index: str, until: int) -> list[_Entry]:
        found = await self._indexes.due(index, until, BATCH)
        pipeline = self._backend.redis.pipeline(transaction=False)
        for ref, _ in found:
            pipeline.hmget(self._keys.run(ref.session_id, ref.run_id), "status", "deadline")
            pipeline.hmget(self._keys.session(ref.session_id), "active", "ttl")
        answers = await self._backend.do(pipeline.execute())
        default = milliseconds(self._backend.config.session_ttl)
        return [
            _Entry(index, ref, score, status, int(deadline or 0), active or "", int(ttl or default))
            for (ref, score), (status, deadline), (active, ttl) in zip(
                found, answers[::2], answers[1::2], strict=True
            )
        ]

    async def _look(self, entry: _Entry, now: int) -> bool:
        """Put right what the indexes say of a run; wake a worker if it needs one, and tell whether."""
        ref = entry.ref
        if entry.is_gone and may_come(ref.run_id):
            await self._indexes.note(entry.index, {ref: now})
            return False
        if entry.is_gone or entry.status in FINAL_STATUSES:
            await self._queue.hand_over(ref, entry.active)
            return False
        if entry.index == self._keys.parked:
            await keep_session(self._backend, ref.session_id, ref.run_id)
            await self._indexes.note(self._keys.parked, {ref: now + entry.ttl // 2})
        return await self._place(entry, now)

    async def _place(self, entry: _Entry, now: int) -> bool:
        home, score = self._home(entry)
        if home != entry.index:
            await self._move(entry, home, score)
            return False
        if home == self._keys.queued:
            return await self._queue.offer(entry.ref)
        if home == self._keys.parked:
            return False
        is_silent = entry.deadline <= now
        next_look = now + milliseconds(self._backend.config.lease)
        await self._indexes.note(home, {entry.ref: next_look if is_silent else entry.deadline})
        return is_silent and await self._queue.offer(entry.ref)

    async def _move(self, entry: _Entry, home: str, score: int) -> None:
        await self._indexes.note(home, {entry.ref: score}, only_new=True)
        if entry.index != self._keys.parked:  # that one holds every unfinished run
            await self._indexes.drop(entry.index, entry.ref, entry.score)

    def _home(self, entry: _Entry) -> tuple[str, int]:
        """Return the index that a run belongs to, and the time to note it there for."""
        if entry.status == "running":
            return self._keys.running, entry.deadline
        if entry.is_ready:
            return self._keys.queued, AT_ONCE
        return self._keys.parked, AT_ONCE

    async def _adopt(self) -> None:
        """Take over the runs that format 2 kept in one index, as `<session>/<run>`."""
        redis, legacy = self._backend.redis, self._keys.legacy_index
        members = await self._backend.do(redis.zrange(legacy, 0, BATCH * MAX_BATCHES - 1))
        for member in members:
            session_id, run_id = member.split("/")
            user = await self._backend.do(redis.hget(self._keys.session(session_id), "user"))
            if user is not None:
                ref = RunRef(user, session_id, run_id)
                for index in (self._keys.queued, self._keys.parked):
                    await self._indexes.note(index, {ref: AT_ONCE}, only_new=True)
            await self._backend.do(redis.zrem(legacy, member))
