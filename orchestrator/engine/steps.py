"""Performs one step of a run: records it, makes its call, records what came of it."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import JsonValue

from common.errors import AgenticError, Problem, SystemFault, ToolError
from common.ids import new_id
from common.plans import TurnCall
from common.runs import Step
from common.tools import ToolCall, ToolResult
from orchestrator.engine.calls import meaning_of, tool_call
from orchestrator.engine.state import RunState
from orchestrator.execution.retrying import Cancelled, Executor, RetryingCall
from orchestrator.planners.plan.references import resolve_arguments
from orchestrator.store.progress import Progress
from orchestrator.store.records import Lease

MAX_ARGUMENTS = 4 * 1024 * 1024
"""Bytes of a step's arguments, what references resolve to included."""


Now = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


class StepMaker:
    """Performs the steps of runs."""

    def __init__(
        self, progress: Progress, executor: Executor, call_timeout: timedelta, now: Now = utc_now
    ) -> None:
        self._progress = progress
        self._executor = executor
        self._call_timeout = call_timeout.total_seconds()
        self._now = now

    async def perform(self, run: RunState, call: TurnCall, seconds_left: float) -> Step:
        """Make a call of a turn; return its step as recorded, its error included.

        Where a lost worker has begun it, the very same call is made again: it is answered with its
        result if it had taken effect. One that the turn says is wrong is not made.
        """
        started = time.perf_counter()
        if call.error is None:
            step, outcome = await self._made(run, call, seconds_left)
        else:
            step, outcome = self._step(call, call.arguments), _not_made(call.error)
        outcome["duration_ms"] = round((time.perf_counter() - started) * 1000, 3)
        ended = step.model_copy(update=outcome)
        ended = await self._progress.commit_step(run.lease, ended, call)
        run.note(ended)
        return ended

    async def _made(
        self, run: RunState, call: TurnCall, seconds_left: float
    ) -> tuple[Step, dict[str, Any]]:
        begun = run.begun(call)
        try:
            step = begun or await self._begin(run, call)
        except ToolError as refusal:  # the arguments cannot be made: there is nothing to call
            step = self._step(call, call.arguments)
            return step, _not_made(refusal.problem("orchestrator", run.lease.run.request_id))
        sent = tool_call(
            run.lease,
            step.n,
            step.tool,
            step.arguments or {},
            timeout=min(self._call_timeout, seconds_left),
            step_id=step.id,
        )
        return step, await self._outcome(run, sent, is_open=begun is not None)

    async def _begin(self, run: RunState, call: TurnCall) -> Step:
        """Record a step before its call; raise ToolError when its arguments cannot be made."""
        arguments = call.arguments
        if call.has_references:
            by_name = {step.name: step for step in run.history}
            # they may be long, and renewals share the loop
            arguments = await asyncio.to_thread(
                resolve_arguments, arguments, by_name, MAX_ARGUMENTS
            )
        step = self._step(call, arguments)
        await self._progress.start_step(run.lease, step, call)
        run.note(step)
        return step

    def _step(self, call: TurnCall, arguments: dict[str, JsonValue]) -> Step:
        return Step(
            id=new_id("stp"),
            n=call.n,
            name=call.name,
            tool=call.tool,
            arguments=arguments,
            status="running",
            started_at=self._now(),
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
