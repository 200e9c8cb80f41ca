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
from orchestrator.engine.state import RunState
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
        run = RunState(lease, signals)
        ending: Ending | None = None
        if lease.run.plan is not None and not lease.is_planned:
            await self._progress.record_plan(lease, lease.run.plan)
        while ending is None:
            if signals.draining.is_set():
                await self._leases.release(lease)
                return
            try:
                ending = await self._advance(run)
            except AgenticError as failure:
                ending = Ending(
                    "failed", error=failure.problem("orchestrator", lease.run.request_id)
                )
        await self._progress.finish(lease, ending)
        code = None if ending.error is None else ending.error.code
        log.info("run ended", status=ending.status, steps=len(run.history), code=code)

    async def _advance(self, run: RunState) -> Ending | None:
        """Take the run one decision further; return its ending when it has one."""
        # With a call in flight, a cancelled run first finds out what became of that.
        if run.signals.cancelled.is_set() and run.in_flight is None:
            return Ending("cancelled", reason="cancelled by the client")
        asked = run.lease.run
        decision = await self._planners[asked.planner].next(
            History(asked.goal, asked.plan, run.history)
        )
        match decision:
            case Finish(answer):
                receipts = [step.receipts for step in run.history]
                changes = await asyncio.to_thread(fold, receipts)  # there may be many
                return Ending("succeeded", result=RunResult(answer=answer, changes=changes))
            case CallTools(calls):
                return await self._make(run, calls)
            case _:
                assert_never(decision)

    async def _make(self, run: RunState, calls: Sequence[Call]) -> Ending | None:
        """Make these calls, each a step; return the run's ending when one of them has ended it."""
        needed = len(run.history) + len(calls)  # half of a decision helps nobody
        for call in calls:
            seconds = IN_FLIGHT_TIME if run.in_flight else self._within_budget(run, needed)
            step = await self._steps.perform(run, call, seconds)
            run.add(step)
            ending = _ending_after(step, call.on_error)
            if ending is not None or run.is_interrupted:
                return ending
        return None

    def _within_budget(self, run: RunState, needed: int) -> float:
        """Return the seconds that are left; raise when they or the steps do not suffice."""
        budget = run.lease.run.budget
        if needed > budget.steps:
            raise ClientError(
                "budget_exceeded",
                f"The run needs {needed} steps, and its budget holds {budget.steps}",
                limit=budget.steps,
                actual=needed,
            )
        used = (self._now() - run.lease.started_at).total_seconds()
        if used >= budget.seconds:
            raise SystemFault(
                "deadline_exceeded",
                f"The run's budget of {budget.seconds:g} seconds is used up",
                outcome="executed" if run.history else "not_executed",
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
