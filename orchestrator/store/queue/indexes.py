"""The three indexes of unfinished runs: where the reaper looks.

`running`: by the owner's deadline. `queued`: runs that could start, by when a worker was last told of
them. `parked`: every unfinished run, by when its session has to be kept from expiring, or by when its person
has to have answered: whichever comes first.

The run's hash is the truth, and these are hints that may be stale but never lack: a run leaves an
index only when it is in the next one, or over. They lie in other slots of a Redis Cluster than the
session, so that no script changes both; an entry too many costs a second look.
"""

from collections.abc import Mapping

from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.queue.refs import RunRef

AT_ONCE = 0
"""The score of a run that is to be looked at as soon as possible."""


class Indexes:
    """Notes, finds and forgets runs; an index is named by its key."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def note(
        self,
        index: str,
        entries: Mapping[RunRef, int],
        *,
        only_new: bool = False,
        sooner: bool = False,
    ) -> None:
        """Put runs into an index at their times (server time, ms).

        `only_new` leaves those alone that are there; `sooner`, those that are there for earlier.
        """
        pipeline = self._backend.redis.pipeline(transaction=False)
        members = {ref.member: score for ref, score in entries.items()}
        pipeline.zadd(index, members, nx=only_new, lt=sooner)
        pipeline.expire(index, self._backend.index_ttl)
        await self._backend.do(pipeline.execute())

    async def due(self, index: str, until: int, count: int) -> list[tuple[RunRef, int]]:
        """Return the first entries up to a time, each with its own."""
        found = await self._backend.do(
            self._backend.redis.zrangebyscore(
                index, "-inf", until, start=0, num=count, withscores=True
            )
        )
        return [(RunRef.parse(member), int(score)) for member, score in found]

    async def put_off(self, index: str, ref: RunRef, score: int, until: int) -> None:
        """Note a run for later (server time, ms), unless it was noted there anew since it was read."""
        expiry = milliseconds(self._backend.index_ttl)
        await self._backend.script_on("put_off", (index,), ref.member, score, until, expiry)

    async def drop(self, index: str, ref: RunRef, score: int) -> None:
        """Take a run out of an index, unless it was noted there anew since it was read."""
        await self._backend.script_on("drop_entry", (index,), ref.member, score)

    async def forget(self, ref: RunRef) -> None:
        """Take a run out of all of them: it is over, or never came to be."""
        keys = self._backend.keys
        pipeline = self._backend.redis.pipeline(transaction=False)
        for index in (keys.running, keys.queued, keys.parked):
            pipeline.zrem(index, ref.member)
        await self._backend.do(pipeline.execute())
