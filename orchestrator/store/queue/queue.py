"""How runs get to workers: in line, woken, taken, and out of line again."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from orchestrator.store.backend import Backend, StoreUnavailable, milliseconds
from orchestrator.store.queue.indexes import AT_ONCE, Indexes
from orchestrator.store.queue.places import Places
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.queue.wakeups import Wakeups

RECHECK = timedelta(minutes=1)
"""How often a run is looked at that its user's other runs hold back: whoever ends one wakes the next."""


class Queue:
    """One run's way: announced, stored, offered; taken, kept; given back, parked, or handed over.

    Whoever changes a run's state does so with a script on its session, and then tells the queue here.
    A crash in between is found by the reaper, in the index that the run has not left yet.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._keys = backend.keys
        self.indexes = Indexes(backend)
        self.wakeups = Wakeups(backend)
        self._places = Places(backend)

    async def announce(self, ref: RunRef) -> None:
        """Note a run that is about to be stored."""
        queued, parked = self._keys.queued, self._keys.parked
        pipeline = self._backend.redis.pipeline(transaction=False)
        pipeline.zadd(queued, {ref.member: AT_ONCE}).zadd(
            parked, {ref.member: self._keep_until(ref)}
        )
        for key in (queued, parked):
            pipeline.expire(key, self._backend.index_ttl)
        await self._backend.do(pipeline.execute())

    def _keep_until(self, ref: RunRef) -> int:
        """Return when a new run's session has to be kept from expiring, unless its own time is shorter."""
        return ref.made_ms + milliseconds(self._backend.config.session_ttl) // 2

    async def withdraw(self, ref: RunRef) -> None:
        """Take back the note on a run that was not stored."""
        await self.indexes.forget(ref)

    async def stored(self, ref: RunRef, keep_until: int, *, can_start: bool) -> None:
        """Put a new run in line; its session has to be kept from `keep_until` on (server time, ms)."""
        if keep_until < self._keep_until(ref):
            await self.indexes.note(self._keys.parked, {ref: keep_until}, sooner=True)
        if can_start:
            await self.offer(ref)
        else:  # unless the one ahead of it has ended since: then it was noted anew
            await self.indexes.drop(self._keys.queued, ref, AT_ONCE)

    async def offer(self, ref: RunRef) -> bool:
        """Put a run that could go on in its user's line; tell whether a worker was woken for it."""
        return await self._change(ref.user_id, None, ref)

    async def offer_if_possible(self, ref: RunRef) -> None:
        """Offer a run that is stored as one that could go on: the reaper sees to it as well."""
        with suppress(StoreUnavailable):
            await self.offer(ref)

    async def take(self, ref: RunRef) -> bool:
        """Take one of its user's places for a run, before its lease; tell whether there was one.

        Where there is none the run stays in line: whoever frees a place wakes the next.
        """
        until = await self._places.take(ref)
        if until is None:
            return False
        # Where an owner fell silent it is there already, for its deadline: that must not be put off.
        await self.indexes.note(self._keys.running, {ref: until}, only_new=True)
        return True

    async def renewed(self, ref: RunRef, until: int) -> None:
        """Keep a run's place with its lease (server time, ms)."""
        running, places = self._keys.running, self._keys.places(ref.user_id)
        pipeline = self._backend.redis.pipeline(transaction=False)
        pipeline.zadd(running, {ref.member: until})
        # A place that was freed meanwhile is another's.
        pipeline.zadd(places, {ref.member: until}, xx=True)
        for key in (running, places):
            pipeline.expire(key, self._backend.index_ttl)
        await self._backend.do(pipeline.execute())

    async def give_back(self, ref: RunRef) -> None:
        """Let another worker go on with a run."""
        await self._change(ref.user_id, ref, ref)

    async def free(self, ref: RunRef) -> None:
        """Give a run's place to the user's next one: the run waits for a person, or for another run."""
        await self._change(ref.user_id, ref, None)

    async def look_soon(self, refs: Iterable[RunRef], now: int) -> None:
        """Have runs looked at that are about to be changed, should nobody live to say so (server time, ms).

        It is noted anew, whatever is there: a reaper that has read the old state does not put it off, and
        when it looks, it notes what the new one needs.
        """
        soon = now + milliseconds(self._backend.config.lease)
        await self.indexes.note(self._keys.parked, dict.fromkeys(refs, soon))

    async def hand_over(self, ref: RunRef, following: str) -> None:
        """After a run has ended: wake the session's next one ("" for none), then forget this one."""
        await self._change(ref.user_id, ref, ref.sibling(following) if following else None)
        await self.indexes.forget(ref)

    async def wake(self, ref: RunRef) -> None:
        """Hand a wake-up on to another worker."""
        now = await self.now()
        await self.wakeups.send([ref], now)

    async def next(self, worker_id: str, wait: timedelta) -> RunRef | None:
        """Return the next run to look at, or None when there was none for that long."""
        return await self.wakeups.next(worker_id, wait)

    async def now(self) -> int:
        """Return the server's time, in ms."""
        seconds, microseconds = await self._backend.do(self._backend.redis.time())
        return int(seconds * 1000 + microseconds // 1000)

    async def _change(self, user_id: str, leaving: RunRef | None, coming: RunRef | None) -> bool:
        line = await self._places.change(user_id, leaving, coming)
        is_held_back = coming is not None and coming not in line.to_wake
        if coming is not None and is_held_back:
            # A place may also fall free because its owner fell silent, and nobody is there to tell.
            pause = timedelta() if line.is_near else RECHECK
            until = line.now + milliseconds(pause)
            await self.indexes.note(self._keys.queued, {coming: until})
        if line.to_wake:
            await self.wakeups.send(line.to_wake, line.now)
        return not is_held_back
