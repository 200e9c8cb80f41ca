"""The reaper: finds runs that nobody looks after, or answers, and puts right what the indexes say."""

import asyncio
from datetime import timedelta

from common.errors import Problem, SystemFault
from common.runs import FINAL_STATUSES
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.queue.entries import Entry, read_entries
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
            due = await self._indexes.due(index, until, BATCH)
            entries = await read_entries(self._backend, index, due)
            needed = await asyncio.gather(*(self._look(entry, now) for entry in entries))
            woken += [
                entry.ref for entry, was_woken in zip(entries, needed, strict=True) if was_woken
            ]
            if len(entries) < BATCH:
                break
        return woken

    async def _look(self, entry: Entry, now: int) -> bool:
        """Put right what the indexes say of a run; wake a worker if it needs one, and tell whether."""
        ref = entry.ref
        if entry.is_gone and may_come(ref.run_id):
            await self._indexes.note(entry.index, {ref: now})
            return False
        if entry.is_gone or entry.status in FINAL_STATUSES:
            await self._queue.hand_over(ref, entry.active)
            return False
        if entry.index == self._keys.parked:
            if entry.is_unanswered(now):
                return await self._give_up(entry)
            await keep_session(self._backend, ref.session_id, ref.run_id)
            await self._indexes.put_off(entry.index, ref, entry.score, entry.next_look(now))
        return await self._place(entry, now)

    async def _give_up(self, entry: Entry) -> bool:
        """End a run that nobody has answered in time; of one that was answered meanwhile look again."""
        outcome, following = await self._backend.script(
            "expire_answer",
            entry.ref.session_id,
            entry.ref.run_id,
            _unanswered(entry.patience / 1000).model_dump_json(),
        )
        if outcome in FINAL_STATUSES:
            await self._queue.hand_over(entry.ref, following)
        return False

    async def _place(self, entry: Entry, now: int) -> bool:
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

    async def _move(self, entry: Entry, home: str, score: int) -> None:
        await self._indexes.note(home, {entry.ref: score}, only_new=True)
        if entry.index != self._keys.parked:  # that one holds every unfinished run
            await self._indexes.drop(entry.index, entry.ref, entry.score)

    def _home(self, entry: Entry) -> tuple[str, int]:
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


def _unanswered(seconds: float) -> Problem:
    return SystemFault(
        "deadline_exceeded",
        f"Nobody has answered within {seconds:g} seconds; nothing of what waited has been done",
        hint="Start the run again, and answer in time.",
        outcome="not_executed",
        limit=seconds,
    ).problem("orchestrator", None)
