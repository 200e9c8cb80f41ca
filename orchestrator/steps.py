"""One step of a run: recorded before its call is made, and again with what came of it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from common.context import ExecutionContext
from common.errors import AgenticError, SystemFault
from common.ids import new_id
from common.runs import Step
from common.tools import ToolCall
from orchestrator.calls import Attempts, Cancelled, Executor, settle
from orchestrator.planners.base import Call
from orchestrator.signals import Signals
from orchestrator.store.leases import LeaseStore
from orchestrator.store.records import Lease

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


class StepMaker:
    """Performs the steps of runs."""

    def __init__(
        self, leases: LeaseStore, executor: Executor, call_timeout: timedelta, now: Now = utc_now
    ) -> None:
        self._leases = leases
        self._executor = executor
        self._call_timeout = call_timeout.total_seconds()
        self._now = now

    async def perform(
        self, lease: Lease, n: int, call: Call, seconds_left: float, signals: Signals
    ) -> Step:
        """Make a call as step `n`; return the step as recorded, its error included if it failed."""
        step = Step(
            id=new_id("stp"),
            n=n,
            name=call.name,
            tool=call.tool,
            arguments=call.arguments,
            status="running",
            started_at=self._now(),
        )
        await self._leases.start_step(lease, step)
        started, attempts = time.perf_counter(), Attempts()
        outcome = await self._outcome(lease, step, call, seconds_left, signals, attempts)
        duration = round((time.perf_counter() - started) * 1000, 3)
        done = step.model_copy(
            update={**outcome, "attempts": attempts.count, "duration_ms": duration}
        )
        return await self._leases.commit_step(lease, done)

    async def _outcome(
        self,
        lease: Lease,
        step: Step,
        call: Call,
        seconds_left: float,
        signals: Signals,
        attempts: Attempts,
    ) -> dict[str, Any]:
        request_id = lease.run.request_id
        try:
            if call.refusal is not None:
                raise call.refusal
            tool_call = self._tool_call(lease, step, seconds_left)
            result = await settle(
                self._executor, tool_call, lease.run.traceparent, signals.cancelled, attempts
            )
        except AgenticError as failure:
            return {"status": "failed", "error": failure.problem("orchestrator", request_id)}
        except Cancelled as cancel:
            error = (
                _abandoned(step).problem("orchestrator", request_id) if cancel.in_flight else None
            )
            return {"status": "cancelled", "error": error}
        return {"status": "succeeded", "output": result.output, "receipts": result.receipts}

    def _tool_call(self, lease: Lease, step: Step, seconds_left: float) -> ToolCall:
        run, session = lease.run, lease.session
        return ToolCall(
            id=f"{run.id}:{step.n}:1",
            fence=lease.fence,
            tool=step.tool,
            arguments=step.arguments,
            context=ExecutionContext(
                request_id=run.request_id,
                session_id=session.id,
                run_id=run.id,
                step_id=step.id,
                user_id=session.user_id,
                request_source=run.request_source,
                allowed_paths_root=f"{session.user_id}/{session.workspace}",
                timeout=min(self._call_timeout, seconds_left),
            ),
        )


def _abandoned(step: Step) -> SystemFault:
    return SystemFault(
        "upstream_failed",
        "The run was cancelled while this call was under way: it may have taken effect",
        tool=step.tool,
    )
