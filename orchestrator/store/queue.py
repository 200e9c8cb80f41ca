"""How workers learn of runs: a stream of wake-ups, and an index that survives a lost one.

The run's hash decides; both of these only say where to look. The index is written before anything
that makes a run able to start, and an entry is removed after the run's end. A crash in between leaves
an entry too many, which costs a second look; the other order would leave a run that nobody ever finds.
So an entry without a run may be of one that is about to be stored.
"""

from datetime import UTC, datetime, timedelta

from redis.exceptions import ResponseError

from common.ids import made_at
from common.runs import FINAL_STATUSES
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.records import Wakeup
from orchestrator.store.sessions import keep_session

GROUP = "workers"
MAX_QUEUE = 100_000
REAP_BATCH = 100
WAITING_RECHECK = timedelta(minutes=1)
"""How often a run that stands behind another is looked at."""
COMING = timedelta(minutes=1)
"""How long after its id was made a run may still be about to be stored."""


class Queue:
    """Wake-ups for workers, and the reaper that repeats lost ones."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def index(self, session_id: str, run_id: str, due: int = 0) -> None:
        """Note that a run has to be looked at, at the earliest at `due` (server time, ms)."""
        keys = self._backend.keys
        pipeline = self._backend.redis.pipeline(transaction=False)
        pipeline.zadd(keys.due_runs, {f"{session_id}/{run_id}": due})
        pipeline.expire(keys.due_runs, self._backend.index_ttl)
        await self._backend.do(pipeline.execute())

    async def forget(self, session_id: str, run_id: str) -> None:
        """Note that a run needs no more looking at."""
        redis, keys = self._backend.redis, self._backend.keys
        await self._backend.do(redis.zrem(keys.due_runs, f"{session_id}/{run_id}"))

    async def wake(self, session_id: str, run_id: str) -> None:
        """Tell the workers that a run may be ready."""
        keys = self._backend.keys
        pipeline = self._backend.redis.pipeline(transaction=False)
        fields = {"session": session_id, "run": run_id}
        pipeline.xadd(keys.queue, fields, maxlen=MAX_QUEUE, approximate=True)
        pipeline.expire(keys.queue, self._backend.index_ttl)
        await self._backend.do(pipeline.execute())

    async def hand_over(self, session_id: str, finished: str, following: str) -> None:
        """After a run has ended: wake the next one in line ("" for none), then forget the run."""
        if following:
            await self.index(session_id, following)  # due at once, not when those in line are
            await self.wake(session_id, following)
        await self.forget(session_id, finished)

    async def next(self, worker_id: str, wait: timedelta) -> Wakeup | None:
        """Return the next wake-up, or None when there was none for that long."""
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
        return Wakeup(fields["session"], fields["run"])

    async def _make_group(self) -> None:
        """Make the group anew, from the start of the stream: it expires with it, or was lost."""
        redis, key = self._backend.redis, self._backend.keys.queue
        try:
            await self._backend.do(redis.xgroup_create(key, GROUP, id="0", mkstream=True))
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):  # another worker was quicker
                raise
        await self._backend.do(redis.expire(key, self._backend.index_ttl))

    async def reap(self) -> int:
        """Wake runs whose owner fell silent or whose wake-up was lost; return how many."""
        redis, keys = self._backend.redis, self._backend.keys
        seconds, microseconds = await self._backend.do(redis.time())
        now = seconds * 1000 + microseconds // 1000
        due = await self._backend.do(
            redis.zrangebyscore(keys.due_runs, "-inf", now, start=0, num=REAP_BATCH)
        )
        is_idle = bool(due) and await self._is_idle()
        woken = [
            await self._look(*member.split("/", 1), now=now, is_idle=is_idle) for member in due
        ]
        return sum(woken)

    async def _is_idle(self) -> bool:
        """Drop what was delivered, and tell whether no wake-up waits for a worker."""
        # Delivered is done: a worker that dies with a wake-up is found by the index (hence NOACK).
        redis, key = self._backend.redis, self._backend.keys.queue
        try:
            groups = await self._backend.do(redis.xinfo_groups(key))
        except ResponseError as error:
            if "no such key" not in str(error).lower():
                raise
            return True
        for group in groups:
            time, _, sequence = group["last-delivered-id"].partition("-")
            following = f"{time}-{int(sequence) + 1}"
            await self._backend.do(redis.xtrim(key, minid=following, approximate=False))
        return bool(await self._backend.do(redis.xlen(key)) == 0)

    async def _look(self, session_id: str, run_id: str, *, now: int, is_idle: bool) -> bool:
        """Wake a worker for a run that needs one, and note when to look again; tell whether."""
        redis, keys = self._backend.redis, self._backend.keys
        pipeline = redis.pipeline(transaction=False)
        pipeline.hmget(keys.run(session_id, run_id), "status", "deadline")
        pipeline.hget(keys.session(session_id), "active")
        (status, deadline), active = await self._backend.do(pipeline.execute())
        if status is None and datetime.now(UTC) - made_at(run_id) < COMING:
            return False
        if status is None or status in FINAL_STATUSES:
            await self.forget(session_id, run_id)
            return False
        await keep_session(self._backend, session_id, run_id)
        if active != run_id:
            await self.index(session_id, run_id, now + milliseconds(WAITING_RECHECK))
            return False
        if status == "running" and int(deadline) > now:
            await self.index(session_id, run_id, int(deadline))
            return False
        await self.index(session_id, run_id, now + milliseconds(self._backend.config.lease))
        # A run that is queued has been told of already, unless no wake-up is left in the stream.
        if status == "running" or is_idle:
            await self.wake(session_id, run_id)
            return True
        return False
