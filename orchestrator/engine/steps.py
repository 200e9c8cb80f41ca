"""Performs one step of a run: records it, makes its call, records what came of it."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from common.errors import AgenticError, Problem, SystemFault, ToolError
from common.ids import new_id
from common.off_loop import is_small, off_loop
from common.plans import TurnCall
from common.tools import Receipt, ToolCall, ToolResult
from orchestrator.approvals.pinning import is_as_seen, left_by
from orchestrator.approvals.weighing import MAX_ARGUMENTS
from orchestrator.engine.calls import dry_runs_of, meaning_of, step_call
from orchestrator.engine.granting import Grant
from orchestrator.engine.state import RunState
from orchestrator.execution.retrying import Cancelled, Executor, RetryingCall
from orchestrator.planners.plan.references import referred_to, resolve_arguments
from orchestrator.store.progress import Progress
from orchestrator.store.records import Lease, StoredStep

Now = Callable[[], datetime]
Holds = Callable[[], Awaitable[bool]]
"""Tells whether a grant still holds: the rules may be others by now."""


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


class ChangedSincePreview(Exception):  # a state of affairs, not an error
    """A call would not do any more what a person has approved; its step, where it was begun."""

    def __init__(self, n: int, step: StoredStep | None = None) -> None:
        super().__init__(n)
        self.n = n
        self.step = step


class StepMaker:
    """Performs the steps of runs."""

    def __init__(
        self, progress: Progress, executor: Executor, call_timeout: timedelta, now: Now = utc_now
    ) -> None:
        self._progress = progress
        self._executor = executor
        self._call_timeout = call_timeout.total_seconds()
        self._now = now

    async def perform(
        self, run: RunState, call: TurnCall, grant: Grant, seconds_left: float, holds: Holds
    ) -> StoredStep:
        """Make a call of a turn; return its step as recorded, its error included.

        Where a lost worker has begun it, the very same call is made again: it is answered with its
        result if it had taken effect. One that the turn says is wrong, or that is refused, is not made.

        Raises ChangedSincePreview when it would do something else by now than what was approved, and
        Cancelled when its grant does not hold any more as it is to be sent.
        """
        started = time.perf_counter()
        if problem := call.error or grant.refusal:
            step, outcome = self._step(call, grant), _not_made(problem)
        else:
            step, outcome = await self._made(run, call, grant, seconds_left, holds)
        outcome["duration_ms"] = round((time.perf_counter() - started) * 1000, 3)
        return await self._commit(run, call, step, outcome)

    async def refuse(
        self,
        run: RunState,
        call: TurnCall,
        grant: Grant,
        step: StoredStep | None,
        problem: Problem,
    ) -> StoredStep:
        """Record that a call is not made, after all; `step`, where it was begun."""
        refused = step or self._step(call, grant)
        return await self._commit(run, call, refused, {**_not_made(problem), "duration_ms": 0.0})

    async def _commit(
        self, run: RunState, call: TurnCall, step: StoredStep, outcome: dict[str, Any]
    ) -> StoredStep:
        # what it was sent with is of use only as long as it may have to be sent again
        ended = step.model_copy(update={**outcome, "expected": None})
        ended = await self._progress.commit_step(run.lease, ended, call)
        run.note(ended)
        return ended

    async def _made(
        self, run: RunState, call: TurnCall, grant: Grant, seconds_left: float, holds: Holds
    ) -> tuple[StoredStep, dict[str, Any]]:
        begun, seconds = run.begun(call), min(self._call_timeout, seconds_left)
        try:
            step = begun or await self._begin(run, call, grant, seconds, holds)
        except ToolError as refusal:  # the arguments cannot be made: there is nothing to call
            problem = refusal.problem("orchestrator", run.lease.run.request_id)
            return self._step(call, grant), _not_made(problem)
        sent = step_call(run.lease, step, grant.access, timeout=seconds)
        outcome = await self._outcome(run, sent, is_open=begun is not None)
        error = outcome.get("error")
        if error is not None and error.code == "changed_since_preview":
            raise ChangedSincePreview(call.n, step)
        return step, outcome

    async def _begin(
        self, run: RunState, call: TurnCall, grant: Grant, seconds: float, holds: Holds
    ) -> StoredStep:
        """Record a step before its call; raise ToolError when its arguments cannot be made."""
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
        await self._progress.start_step(run.lease, step, call)
        run.note(step)
        return step

    async def _pinned(
        self, run: RunState, step: StoredStep, grant: Grant, seconds: float
    ) -> list[Receipt]:
        """Return what a call is going to do whose preview had to wait for an earlier one of its turn.

        Raises ChangedSincePreview unless it finds what that one has left, and else what was shown.
        """
        dry_run = dry_runs_of(run, self._executor, seconds)
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

    async def _outcome(self, run: RunState, sent: ToolCall, *, is_open: bool) -> dict[str, Any]:
        """Make the call; return what the step says of it."""
        call = RetryingCall(
            self._executor,
            sent,
            run.lease.run.traceparent,
            run.signals.cancelled,
            is_open=is_open,
        )
        try:
            outcome = _success(await call.result())
        except AgenticError as failure:
            outcome = _failure(run.lease, meaning_of(failure, run.lease))
        except Cancelled as cancel:
            outcome = _cancelled(run.lease, sent, cancel)
        return {**outcome, "attempts": call.attempts}


def _success(result: ToolResult) -> dict[str, Any]:
    return {"status": "succeeded", "output": result.output, "receipts": result.receipts}


def _not_made(problem: Problem) -> dict[str, Any]:
    return {"status": "failed", "error": problem, "attempts": 0}


def _failure(lease: Lease, failure: AgenticError) -> dict[str, Any]:
    return {"status": "failed", "error": failure.problem("orchestrator", lease.run.request_id)}


def _cancelled(lease: Lease, call: ToolCall, cancel: Cancelled) -> dict[str, Any]:
    """Say what a cancelled call came to: its result, nothing, or an error that it is unknown."""
    if cancel.result is not None:
        return _success(cancel.result)
    if not cancel.is_unknown:
        return {"status": "cancelled", "error": None}
    error = SystemFault(
        "upstream_failed",
        "The run was cancelled while this call was under way: it may have taken effect",
        tool=call.tool,
    ).problem("orchestrator", lease.run.request_id)
    return {"status": "cancelled", "error": error}
