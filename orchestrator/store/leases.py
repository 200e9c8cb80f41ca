"""Leases: how one worker owns a run until it ends, gives it back, or falls silent."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta

from pydantic import JsonValue

from common.errors import Problem, SystemFault
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.fencing import write_as_owner
from orchestrator.store.queue import Queue
from orchestrator.store.records import Lease
from orchestrator.store.run_records import read_lease


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
        outcome, fence, following = await self._backend.script(
            "acquire",
            session_id,
            run_id,
            token,
            milliseconds(config.lease),
            config.max_attempts,
            _given_up(config.max_attempts).model_dump_json(),
        )
        if outcome in ("parked", "final", "gone"):
            await self._queue.hand_over(session_id, run_id, following)
        if outcome != "acquired":
            return None
        return await self._read(session_id, run_id, int(fence))

    async def _read(self, session_id: str, run_id: str, fence: int) -> Lease:
        redis, keys = self._backend.redis, self._backend.keys
        pipeline = redis.pipeline(transaction=True)
        pipeline.hgetall(keys.session(session_id)).hgetall(keys.run(session_id, run_id))
        pipeline.hgetall(keys.steps(session_id, run_id)).hgetall(keys.turns(session_id, run_id))
        session, run, steps, turns = await self._backend.do(pipeline.execute())
        # it may be many megabytes, and other leases are renewed on this loop
        return await asyncio.to_thread(read_lease, session, run, steps, turns, fence, timedelta(0))

    async def renew(self, lease: Lease) -> bool:
        """Keep the lease for another period; tell whether the run shall be cancelled.

        It is not repeated: a later one counts from later on.
        """
        period = milliseconds(self._backend.config.lease)
        [outcome] = await write_as_owner(
            self._backend, "renew", lease, period, patience=timedelta(0)
        )
        return bool(outcome == "cancel")

    async def release(self, lease: Lease, floor: int = 0) -> None:
        """Give an unfinished run back, for another worker to go on with.

        `floor` is a fence that was seen elsewhere: the next one is larger.
        """
        await write_as_owner(self._backend, "release", lease, "release", floor)
        await self._queue.wake(lease.session.id, lease.run.id)

    async def park(self, lease: Lease, status: str, data: Mapping[str, JsonValue]) -> None:
        """Let the run wait for a person: `awaiting_input` or `awaiting_approval`."""
        await write_as_owner(self._backend, "park", lease, "park", status, json.dumps(data))


def _given_up(attempts: int) -> Problem:
    return SystemFault(
        "internal", f"The run was given up: its worker was lost {attempts} times in a row"
    ).problem("orchestrator", None)
