"""The stream that tells workers where there may be something to do. A hint: it may lie, or be lost."""

from collections.abc import Sequence
from datetime import timedelta

from redis.exceptions import ResponseError

from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.queue.refs import RunRef

GROUP = "workers"
MAX_QUEUE = 100_000


class Wakeups:
    """Sends and receives wake-ups; delivered is done, since the indexes find what is lost."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def send(self, refs: Sequence[RunRef], now: int) -> None:
        """Tell the workers of runs, and note when: the reaper repeats it when nothing comes of it."""
        keys, ttl = self._backend.keys, self._backend.index_ttl
        pipeline = self._backend.redis.pipeline(transaction=False)
        pipeline.zadd(keys.queued, {ref.member: now for ref in refs}).expire(keys.queued, ttl)
        for ref in refs:
            fields = {"user": ref.user_id, "session": ref.session_id, "run": ref.run_id}
            pipeline.xadd(keys.queue, fields, maxlen=MAX_QUEUE, approximate=True)
        pipeline.expire(keys.queue, ttl)
        await self._backend.do(pipeline.execute())

    async def next(self, worker_id: str, wait: timedelta) -> RunRef | None:
        """Return the next one, or None when there was none for that long."""
        redis, key = self._backend.redis, self._backend.keys.queue
        try:
            answer = await self._backend.do(
                redis.xreadgroup(
                    GROUP, worker_id, {key: ">"}, count=1, block=milliseconds(wait), noack=True
                )
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._make_group()
            return await self.next(worker_id, wait)
        if not answer:
            return None
        [[_, [(_, fields)]]] = answer.items() if isinstance(answer, dict) else answer
        if "user" not in fields:  # of format 2: the reaper knows the run
            return None
        return RunRef(fields["user"], fields["session"], fields["run"])

    async def _make_group(self) -> None:
        """Make the group anew, from the start of the stream: it expires with it, or was lost."""
        redis, key = self._backend.redis, self._backend.keys.queue
        try:
            await self._backend.do(redis.xgroup_create(key, GROUP, id="0", mkstream=True))
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):  # another worker was quicker
                raise
        await self._backend.do(redis.expire(key, self._backend.index_ttl))

    async def oldest(self) -> int | None:
        """Drop what was delivered; return when the oldest one was sent that waits (server time, ms)."""
        redis, key = self._backend.redis, self._backend.keys.queue
        try:
            groups = await self._backend.do(redis.xinfo_groups(key))
        except ResponseError as error:
            if "no such key" not in str(error).lower():
                raise
            return None
        for group in groups:
            time, _, sequence = group["last-delivered-id"].partition("-")
            following = f"{time}-{int(sequence) + 1}"
            await self._backend.do(redis.xtrim(key, minid=following, approximate=False))
        first = await self._backend.do(redis.xrange(key, count=1))
        return int(first[0][0].partition("-")[0]) if first else None
