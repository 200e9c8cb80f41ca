"""Executes one run: asks its planner what to do next, performs the steps, records the ending."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import assert_never

from common.error_table import ERRORS
from common.errors import AgenticError, ClientError, SystemFault
from common.folding import fold
from common.logs import get_logger
from common.plans import OnError
from common.runs import RunResult, Step
from orchestrator.engine.signals import Signals
from orchestrator.engine.steps import Now, StepMaker, utc_now
from orchestrator.planners.protocol import Call, CallTools, Finish, History, Planner
from orchestrator.store.records import Ending, Lease
from orchestrator.store.store import Store

log = get_logger(__name__)
IN_FLIGHT_TIME = 30.0
"""Seconds for the call of a step in flight to be made again, whatever the budget has left."""


class Runner:
    """Takes a leased run to its end, or to the next step boundary when the worker drains."""

    def __init__(
        self,
        store: Store,
        planners: Mapping[str, Planner],
        steps: StepMaker,
        now: Now = utc_now,
    ) -> None:
        self._leases = store.leases
        self._progress = store.progress
        self._planners = planners
        self._steps = steps
        self._now = now

    async def execute(self, lease: Lease, signals: Signals) -> None:
        """Run to the end and record it; give the lease back when asked to drain."""
        history = list(lease.steps)
        ending: Ending | None = None
        if lease.run.plan is not None and not lease.is_planned:
            await self._progress.record_plan(lease, lease.run.plan)
        while ending is None:
            if signals.draining.is_set():
                await self._leases.release(lease)
                return
            try:
                ending = await self._advance(lease, history, signals)
            except AgenticError as failure:
                ending = Ending(
                    "failed", error=failure.problem("orchestrator", lease.run.request_id)
                )
        await self._progress.finish(lease, ending)
        code = None if ending.error is None else ending.error.code
        log.info("run ended", status=ending.status, steps=len(history), code=code)

    async def _advance(self, lease: Lease, history: list[Step], signals: Signals) -> Ending | None:
        """Take the run one decision further; return its ending when it has one."""
        in_flight = _take_in_flight(history)
        if signals.cancelled.is_set() and in_flight is None:
            return Ending("cancelled", reason="cancelled by the client")
        planner = self._planners[lease.run.planner]
        decision = await planner.next(History(lease.run.goal, lease.run.plan, history))
        match decision:
            case Finish(answer):
                receipts = [step.receipts for step in history]
                changes = await asyncio.to_thread(fold, receipts)  # there may be many
                return Ending("succeeded", result=RunResult(answer=answer, changes=changes))
            case CallTools(calls):
                return await self._make(lease, history, calls, signals, in_flight)
            case _:
                assert_never(decision)

    async def _make(
        self,
        lease: Lease,
        history: list[Step],
        calls: Sequence[Call],
        signals: Signals,
        in_flight: Step | None,
    ) -> Ending | None:
        needed = len(history) + len(calls)  # half of a decision helps nobody
        for call in calls:
            left = IN_FLIGHT_TIME if in_flight else self._within_budget(lease, history, needed)
            n = len(history) + 1
            step = await self._steps.perform(lease, n, call, left, signals, in_flight)
            in_flight = None
            history.append(step)
            ending = _ending_after(step, call.on_error)
            if ending is not None or signals.cancelled.is_set() or signals.draining.is_set():
                return ending
        return None

    def _within_budget(self, lease: Lease, history: Sequence[Step], needed: int) -> float:
        """Return the seconds that are left; raise when they or the steps do not suffice."""
        budget = lease.run.budget
        if needed > budget.steps:
            raise ClientError(
                "budget_exceeded",
                f"The run needs {needed} steps, and its budget holds {budget.steps}",
                limit=budget.steps,
                actual=needed,
            )
        used = (self._now() - lease.started_at).total_seconds()
        if used >= budget.seconds:
            raise SystemFault(
                "deadline_exceeded",
                f"The run's budget of {budget.seconds:g} seconds is used up",
                outcome="executed" if history else "not_executed",
                limit=budget.seconds,
                actual=round(used, 3),
            )
        return budget.seconds - used


def _ending_after(step: Step, on_error: OnError) -> Ending | None:
    if step.status == "cancelled":
        return Ending("cancelled", reason="cancelled by the client")
    if step.error is None:
        return None
    # A refusal is the tool's answer, and a plan may go on after it; a fault is nobody's answer.
    is_fault = ERRORS[step.error.code].family != "tool"
    return Ending("failed", error=step.error) if is_fault or on_error == "stop" else None


def _take_in_flight(history: list[Step]) -> Step | None:
    """Take out the step that a lost worker had recorded, and whose outcome is not known yet."""
    return history.pop() if history and history[-1].status == "running" else None
