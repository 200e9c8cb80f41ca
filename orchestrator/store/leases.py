"""Leases: how one worker owns a run until it ends, gives it back, or falls silent."""

from datetime import timedelta
from typing import Literal

from common.errors import Problem, SystemFault, ToolError
from common.plans import TurnCall
from common.runs import Step
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.encoding.run_records import dump_step, read_lease
from orchestrator.store.encoding.telling import to_json
from orchestrator.store.fencing import write_as_owner
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import Lease, Review, length_of, off_loop

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
        outcome, fence, following, user_id, *found = await self._backend.script(
            "acquire",
            session_id,
            run_id,
            token,
            milliseconds(config.lease),
            config.max_attempts,
            _given_up(config.max_attempts).model_dump_json(),
        )
        if outcome == "acquired":
            fields = [dict(zip(one[::2], one[1::2], strict=True)) for one in found]
            # a lease that nobody was told of would hold the run up until it runs out
            fields = fields or await self._backend.repeat(lambda: self._read(session_id, run_id))
            return await off_loop(length_of(*fields), read_lease, *fields, int(fence))
        if user_id:  # else the session is gone, and its user's place for it will not be kept
            await self._pass_by(RunRef(user_id, session_id, run_id), outcome, following)
        return None

    async def _pass_by(self, ref: RunRef, outcome: str, following: str) -> None:
        """Free the place of a run that was not to be had, unless its owner has it."""
        if outcome in ("given_up", "final", "gone"):
            await self._queue.hand_over(ref, following)
        elif outcome in ("waiting", "parked"):
            await self._queue.free(ref)

    async def _read(self, session_id: str, run_id: str) -> list[dict[str, str]]:
        """Read what belongs to a run that is too large to come with its lease."""
        keys = self._backend.keys
        pipeline = self._backend.redis.pipeline(transaction=True)
        pipeline.hgetall(keys.session(session_id))
        for key in (keys.run, keys.steps, keys.turns, keys.reviews):
            pipeline.hgetall(key(session_id, run_id))
        return list(await self._backend.do(pipeline.execute()))

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

    async def park(self, lease: Lease, data: str) -> None:
        """Let a run wait for an answer to its question; `data` is the event's, in JSON.

        It has no owner then, and no wake-up starts it. One that was to be cancelled meanwhile ends.
        """
        await self._park(lease, "awaiting_input", data, *[""] * 7)

    async def ask(
        self,
        lease: Lease,
        review: Review,
        patience: timedelta | None,
        again: tuple[Step, TurnCall] | None = None,
    ) -> None:
        """Let a run wait, likewise, until a person has answered to its turn; it fails after `patience`.

        `again` is the step of a call that was refused for what it would have changed by now.

        Raises `output_too_large` when the run cannot store the review.
        """
        text = review.model_dump_json()
        size, most = len(text.encode()), self._backend.config.max_run_output
        if patience is not None:  # the reaper has to know of it, and to find out for when
            await self._queue.look_soon([RunRef.of(lease)], await self._queue.now())
        waits = "" if patience is None else milliseconds(patience)
        step = ("", "") if again is None else (again[0].n, dump_step(*again))
        shown = (review.t, text, size, most, waits, *step)
        asking = to_json(review.asking)
        if await self._park(lease, "awaiting_approval", asking, *shown) == "full":
            raise ToolError(
                "output_too_large", "The run cannot store what it asks", limit=most, actual=size
            )

    async def _park(self, lease: Lease, status: Parked, data: str, *shown: str | int) -> str:
        ref = RunRef.of(lease)
        outcome, following = await write_as_owner(
            self._backend, "park", lease, f"park:{status}", status, data, *shown
        )
        if outcome == "cancelled":
            await self._queue.hand_over(ref, following)
        elif outcome != "full":
            await self._queue.free(ref)
        return str(outcome)


def _given_up(attempts: int) -> Problem:
    return SystemFault(
        "internal", f"The run was given up: its worker was lost {attempts} times in a row"
    ).problem("orchestrator", None)
