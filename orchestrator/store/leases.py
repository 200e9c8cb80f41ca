"""Leases: how one worker owns a run until it ends, gives it back, or falls silent."""

from datetime import datetime, timedelta
from typing import Literal

from common.errors import Problem, SystemFault
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.encoding.run_records import read_lease
from orchestrator.store.fencing import write_as_owner
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import Lease, length_of, off_loop

Parked = Literal["awaiting_approval", "awaiting_input"]


class LeaseStore:
    """Acquires, renews and releases leases; the last two raise Fenced under a newer owner."""

    def __init__(self, backend: Backend, queue: Queue) -> None:
        self._backend = backend
        self._queue = queue

    async def acquire(self, session_id: str, run_id: str, token: str) -> Lease | None:
        """Take a run that nobody owns, or return None. `token` names this one acquisition.

        The lease's fence is larger than every earlier one of the session: acquire.lua says how.
        """
        config = self._backend.config
        outcome, fence, following, user_id = await self._backend.script(
            "acquire",
            session_id,
            run_id,
            token,
            milliseconds(config.lease),
            config.max_attempts,
            _given_up(config.max_attempts).model_dump_json(),
        )
        if outcome == "acquired":
            # a lease that nobody was told of would hold the run up until it runs out
            return await self._backend.repeat(lambda: self._read(session_id, run_id, int(fence)))
        if user_id:  # else the session is gone, and its user's place for it will not be kept
            await self._pass_by(RunRef(user_id, session_id, run_id), outcome, following)
        return None

    async def _pass_by(self, ref: RunRef, outcome: str, following: str) -> None:
        """Free the place of a run that was not to be had, unless its owner has it."""
        if outcome in ("given_up", "final", "gone"):
            await self._queue.hand_over(ref, following)
        elif outcome in ("waiting", "parked"):
            await self._queue.free(ref)

    async def _read(self, session_id: str, run_id: str, fence: int) -> Lease:
        redis, keys = self._backend.redis, self._backend.keys
        pipeline = redis.pipeline(transaction=True)
        pipeline.hgetall(keys.session(session_id)).hgetall(keys.run(session_id, run_id))
        pipeline.hgetall(keys.steps(session_id, run_id)).hgetall(keys.turns(session_id, run_id))
        session, run, steps, turns = await self._backend.do(pipeline.execute())
        size = length_of(session, run, steps, turns)
        return await off_loop(size, read_lease, session, run, steps, turns, fence)

    async def renew(self, lease: Lease) -> bool:
        """Keep the lease for another period; tell whether the run shall be cancelled.

        It is not repeated: a later one counts from later on.
        """
        period = milliseconds(self._backend.config.lease)
        outcome, deadline = await write_as_owner(
            self._backend, "renew", lease, period, patience=timedelta(0)
        )
        await self._queue.renewed(RunRef.of(lease), int(deadline))
        return bool(outcome == "cancel")

    async def release(self, lease: Lease, floor: int = 0) -> None:
        """Give an unfinished run back, for another worker to go on with.

        `floor` is a fence that was seen elsewhere: the next one is larger.
        """
        await write_as_owner(self._backend, "release", lease, "release", floor)
        await self._queue.give_back(RunRef.of(lease))

    async def park(
        self, lease: Lease, status: Parked, data: str, answer_by: datetime | None = None
    ) -> None:
        """Let a run wait for a person: it has no owner, and no wake-up starts it.

        One that was to be cancelled meanwhile ends.

        `data` is the event's, in JSON. The reaper looks at the run at `answer_by` at the latest.
        """
        ref = RunRef.of(lease)
        if answer_by is not None:
            await self._queue.keep_until(ref, round(answer_by.timestamp() * 1000))
        outcome, following = await write_as_owner(
            self._backend, "park", lease, f"park:{status}", status, data
        )
        if outcome == "cancelled":
            await self._queue.hand_over(ref, following)
        else:
            await self._queue.free(ref)


def _given_up(attempts: int) -> Problem:
    return SystemFault(
        "internal", f"The run was given up: its worker was lost {attempts} times in a row"
    ).problem("orchestrator", None)
