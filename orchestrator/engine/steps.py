"""Performs the steps of a run: what a call is made with, that it is begun, what came of it."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from common.errors import Problem, ToolError
from common.ids import new_id
from common.off_loop import is_small, off_loop
from common.plans import TurnCall
from common.tools import Receipt
from orchestrator.approvals.pinning import is_as_seen, left_by
from orchestrator.approvals.weighing import MAX_ARGUMENTS
from orchestrator.engine.calls import dry_runs_of, step_call
from orchestrator.engine.granting import Grant
from orchestrator.engine.outcomes import ChangedSincePreview, Outcome, not_made, outcome_of
from orchestrator.engine.state import RunState
from orchestrator.execution.batching import Batcher
from orchestrator.execution.retrying import Cancelled, Executor
from orchestrator.planners.plan.references import referred_to, resolve_arguments
from orchestrator.store.progress import Progress
from orchestrator.store.records import StoredStep

Now = Callable[[], datetime]
Holds = Callable[[], Awaitable[bool]]
"""Tells whether a grant still holds: the rules may be others by now."""


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Prepared:
    """A call as it is going to be made; where it is not, its step has an outcome already."""

    call: TurnCall
    step: StoredStep
    grant: Grant
    seconds: float
    """For the call."""
    started: float
    is_open: bool
    """Whether a worker that was lost has begun it: it may have taken effect."""


class StepMaker:
    """Performs the steps of runs."""

    def __init__(
        self, progress: Progress, executor: Batcher, call_timeout: timedelta, now: Now = utc_now
    ) -> None:
        self._progress = progress
        self.executor = executor
        self._call_timeout = call_timeout.total_seconds()
        self._now = now

    async def prepare(
        self, run: RunState, call: TurnCall, grant: Grant, seconds_left: float, holds: Holds
    ) -> Prepared:
        """Return a call of a turn as it is going to be made, or why it is not.

        Where a lost worker has begun it, that is the very same call: it is answered with its result if it
        had taken effect. One that the turn says is wrong, or that is refused, is not made.

        Raises ChangedSincePreview when it would do something else by now than what was approved, and
        Cancelled when its grant does not hold any more, or what it may rest on is not as it was.
        """
        started, begun = time.perf_counter(), run.begun(call)
        seconds = min(self._call_timeout, seconds_left)
        if problem := call.error or grant.refusal:
            step = _ended(self._step(call, grant), not_made(problem), started)
        else:
            try:
                step = begun or await self._resolved(run, call, grant, seconds, holds)
            except ToolError as refusal:  # the arguments cannot be made: there is nothing to call
                if not await self.save(run):  # unless what they rest on is not as it was
                    raise Cancelled from refusal
                problem = refusal.problem("orchestrator", run.lease.run.request_id)
                step = _ended(self._step(call, grant), not_made(problem), started)
        return Prepared(call, step, grant, seconds, started, is_open=begun is not None)

    async def begin(self, run: RunState, prepared: Sequence[Prepared]) -> Sequence[Prepared] | None:
        """Store calls as begun, in one with the outcomes before them; return those that are to be made.

        None where such an outcome could not be stored as it was: what was prepared may rest on it.
        """
        fresh = [(one.step, one.call) for one in prepared if not one.is_open]
        grants = {one.call.n: one.grant for one in prepared}
        if not any(step.status == "running" for step, _ in fresh):
            run.end(*fresh)
            fresh = []
        left = [*run.unsaved, *fresh] if fresh else []
        while left:
            stored = await self._progress.record(run.lease, left)
            if not run.note_stored(left, stored):
                return None
            left = left[len(stored) :]
            if left:  # there is no room for what this one is to be called with
                step, call = left[0]
                left[0] = self._unfit(run, step, call, grants[call.n]), call
        return [one for one in prepared if run.is_under_way(one.call)]

    async def make(self, run: RunState, prepared: Prepared, executor: Executor) -> None:
        """Make a call that is begun, and keep what came of it for the next write (`save`).

        Raises ChangedSincePreview, likewise.
        """
        step, call = prepared.step, prepared.call
        sent = step_call(run.lease, step, prepared.grant.access, timeout=prepared.seconds)
        outcome = await outcome_of(run, executor, sent, is_open=prepared.is_open)
        error = outcome.get("error")
        if error is not None and error.code == "changed_since_preview":
            raise ChangedSincePreview(call.n, step)
        run.end((_ended(step, outcome, prepared.started), call))

    async def save(self, run: RunState) -> bool:
        """Store the outcomes that are not stored yet; tell whether they are stored as they were."""
        is_as_it_was, left = True, run.unsaved
        while left:
            stored = await self._progress.record(run.lease, left)
            is_as_it_was &= run.note_stored(left, stored)
            left = left[len(stored) :]
        return is_as_it_was

    def refuse(
        self, run: RunState, call: TurnCall, grant: Grant, step: StoredStep | None, problem: Problem
    ) -> None:
        """Keep for the next write that a call is not made, after all; `step`, where it was begun."""
        refused = step or self._step(call, grant)
        run.end((_ended(refused, not_made(problem), time.perf_counter()), call))

    def _unfit(self, run: RunState, step: StoredStep, call: TurnCall, grant: Grant) -> StoredStep:
        problem = self._progress.unfit(step, call).problem("orchestrator", run.lease.run.request_id)
        return _ended(self._step(call, grant), not_made(problem), time.perf_counter())

    async def _resolved(
        self, run: RunState, call: TurnCall, grant: Grant, seconds: float, holds: Holds
    ) -> StoredStep:
        """Return a step as it is going to begin; raise ToolError when its arguments cannot be made."""
        # to find out what an approved call would do by now takes a call
        if grant.depends_on is not None and not await self.save(run):
            raise Cancelled
        step = self._step(call, grant)
        if call.has_references:
            by_name, given = {made.name: made for made in run.history}, step.arguments or {}
            # they may be long, and renewals share the loop
            is_little = is_small(given) and is_small(*referred_to(given, by_name))
            arguments = await off_loop(is_little, resolve_arguments, given, by_name, MAX_ARGUMENTS)
            step = step.model_copy(update={"arguments": arguments})
        if grant.depends_on is not None:
            expected = await self._pinned(run, step, grant, seconds)
            step = step.model_copy(update={"expected": expected})
            if not await holds():
                raise Cancelled  # nothing was sent, and it is judged anew
        return step

    async def _pinned(
        self, run: RunState, step: StoredStep, grant: Grant, seconds: float
    ) -> list[Receipt]:
        """Return what a call is going to do whose preview had to wait for an earlier one of its turn.

        Raises ChangedSincePreview unless it finds what that one has left, and else what was shown.
        """
        dry_run = dry_runs_of(run, self.executor, seconds)
        receipts = (await dry_run(step.tool, step.arguments or {})).receipts
        of_turn = [made for made in run.history if made.n >= run.turns[-1].calls[0].n]
        is_made = any(made.n == grant.depends_on and made.error is None for made in of_turn)
        left = left_by(receipt for made in of_turn for receipt in made.receipts)
        if not (is_made and is_as_seen(receipts, left, grant.seen)):
            raise ChangedSincePreview(step.n)
        return receipts

    def _step(self, call: TurnCall, grant: Grant) -> StoredStep:
        return StoredStep(
            id=new_id("stp"),
            n=call.n,
            name=call.name,
            tool=call.tool,
            arguments=call.arguments if grant.arguments is None else grant.arguments,
            status="running",
            started_at=self._now(),
            k=grant.k,
            expected=grant.expected,
        )


def _ended(step: StoredStep, outcome: Outcome, started: float) -> StoredStep:
    took = round((time.perf_counter() - started) * 1000, 3)
    # what it was sent with is of use only as long as it may have to be sent again
    return step.model_copy(update={**outcome, "expected": None, "duration_ms": took})
