"""Performs a turn that was stored: reads that stand together side by side, each change alone."""

import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import partial

from common.error_table import ERRORS
from common.errors import AgenticError
from common.off_loop import is_small, off_loop
from common.plans import Turn, TurnCall
from common.runs import Step
from orchestrator.engine.budget import BudgetMeter
from orchestrator.engine.gate import Admission, Gate
from orchestrator.engine.granting import Grant, unasked
from orchestrator.engine.outcomes import ChangedSincePreview
from orchestrator.engine.state import RunState
from orchestrator.engine.steps import StepMaker
from orchestrator.engine.together import make_together
from orchestrator.execution.retrying import Cancelled
from orchestrator.planners.plan.references import named_steps
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.records import CANCELLED, Ending, RuleLayers, StoredStep

IN_FLIGHT_TIME = 30.0
"""Seconds for the call of a step in flight to be made again, whatever the budget has left."""
LEAST_TIME = 1.0
"""Seconds for what is left of a turn to be shown once more, likewise: its calls are known not to be made."""


class TurnMaker:
    """Goes on with a turn, wherever the last worker was lost in it."""

    def __init__(self, gate: Gate, steps: StepMaker, parallel_reads: int) -> None:
        self._gate = gate
        self._steps = steps
        self._parallel_reads = parallel_reads

    async def perform(self, run: RunState, turn: Turn, budget: BudgetMeter) -> Ending | None:
        """Make the calls of a turn that are left; return the run's ending when one of them ends it.

        Of a turn with calls in flight, only those: what they mean is asked anew (`known_ending`).
        Nothing is begun of a turn that needs more steps than the budget has, or that a person has to
        be asked about: WaitingForApproval. What came of the last ones may be left for the next write.
        """
        if not await self._steps.save(run):
            return None
        if not run.has_begun(turn):
            budget.require_steps(turn)
        try:
            if run.has_open_call:
                # First, and alone: nothing that keeps another call from being begun may end the run
                # before their outcome is known.
                await self._finish_open(run, turn, budget)
                return None
            return await self._go_on(run, turn, budget)
        except Cancelled:  # before anything was sent: what that means for the run is asked anew
            return None

    async def _finish_open(self, run: RunState, turn: Turn, budget: BudgetMeter) -> None:
        """Make the calls again that a lost worker has begun: all that was granted is in their steps."""
        calls = run.open_calls(turn)
        grants = {call.n: unasked(call, run.lease.run) for call in calls}
        admission = Admission(grants, RuleLayers(), time.monotonic())
        await self._together(run, turn, calls, admission, budget)

    async def _go_on(self, run: RunState, turn: Turn, budget: BudgetMeter) -> Ending | None:
        admission = await self._gate.admit(run, turn, budget.seconds_left())
        grants = admission.grants
        calls = [call for call in run.left_of(turn) if call.n in grants]
        groups = await _groups(calls, grants, self._parallel_reads)
        for group in groups:
            if run.is_interrupted:
                return None
            if not await self._gate.holds(run, admission):
                return None  # what is left is judged anew
            if not await self._together(run, turn, group, admission, budget):
                return None
            if (ending := _ending_after(run, group)) is not None:
                return ending
        return None

    async def _together(
        self,
        run: RunState,
        turn: Turn,
        group: Sequence[TurnCall],
        admission: Admission,
        budget: BudgetMeter,
    ) -> bool:
        """Make calls side by side; False where what they may rest on is not as it was, before any is made."""
        grants, holds = admission.grants, partial(self._gate.holds, run, admission)
        seconds = {call.n: _seconds_for(run, call, budget) for call in group}
        prepare = self._steps.prepare
        try:
            prepared = [
                await prepare(run, call, grants[call.n], seconds[call.n], holds) for call in group
            ]
            to_make = await self._steps.begin(run, prepared)
            if to_make is not None:
                await make_together(self._steps, run, to_make)
        except ChangedSincePreview as change:
            [call] = [call for call in group if call.n == change.n]
            await self._ask_again(run, turn, call, grants[call.n], change.step, budget)
            return True
        return to_make is not None

    async def _ask_again(
        self,
        run: RunState,
        turn: Turn,
        call: TurnCall,
        grant: Grant,
        step: StoredStep | None,
        budget: BudgetMeter,
    ) -> None:
        """Have a person asked once more; record why a call is not made that nobody can be asked about."""
        seconds = max(budget.left.seconds or 0.0, LEAST_TIME)
        try:
            problem = await self._gate.ask_again(run, turn, call.n, step, seconds)
        except StoreUnavailable:
            raise
        except AgenticError as fault:
            # it keeps the call from being shown, and nothing has happened
            fault.outcome = "not_executed"
            problem = fault.problem("orchestrator", run.lease.run.request_id)
        self._steps.refuse(run, call, grant, step, problem)

    async def save(self, run: RunState) -> bool:
        """Store the outcomes that are not stored yet; tell whether they are stored as they were."""
        return await self._steps.save(run)


def _seconds_for(run: RunState, call: TurnCall, budget: BudgetMeter) -> float:
    return IN_FLIGHT_TIME if run.begun(call) is not None else budget.seconds_left()


async def _groups(
    calls: Sequence[TurnCall], grants: Mapping[int, Grant], most: int
) -> Sequence[Sequence[TurnCall]]:
    refused = {n for n, grant in grants.items() if grant.refusal is not None}
    return await off_loop(is_small(calls), lambda: list(grouped(calls, most, refused)))


def grouped(
    calls: Iterable[TurnCall], most: int, refused: Container[int] = ()
) -> Iterator[Sequence[TurnCall]]:
    """Yield calls that may be made side by side, in order: a change, or up to `most` reads.

    A read that refers to what another one gives waits for it. A call that is `refused` stands alone:
    where that ends the run, nothing behind it is made.
    """
    group: list[TurnCall] = []
    for call in calls:
        is_alone = bool(group) and (call.n in refused or group[0].n in refused)
        if group and not (len(group) < most and not is_alone and _may_join(call, group)):
            yield group
            group = []
        group.append(call)
    if group:
        yield group


def _may_join(call: TurnCall, group: Sequence[TurnCall]) -> bool:
    if _changes(call) or _changes(group[0]):
        return False
    if not call.has_references:
        return True
    return named_steps(call.arguments).isdisjoint(other.name for other in group)


def _changes(call: TurnCall) -> bool:
    """Tell whether a call may change something: one that is not made changes nothing."""
    return call.effect != "read" and call.error is None


def known_ending(run: RunState) -> Ending | None:
    """Return the ending that stored outcomes mean: whoever stored them may have been lost before it."""
    if run.has_open_call or not run.turns:
        return None
    return _ending_after(run, run.turns[-1].calls)


def _ending_after(run: RunState, calls: Iterable[TurnCall]) -> Ending | None:
    """Return the ending that what is known of these calls means for their run, if it ends it."""
    outcomes = ((run.begun(call), call) for call in calls)
    endings = (_ending(step, call) for step, call in outcomes if step is not None)
    return next((ending for ending in endings if ending is not None), None)


def _ending(step: Step, call: TurnCall) -> Ending | None:
    if step.status == "cancelled":
        return CANCELLED
    if step.error is None:
        return None
    # A refusal is the tool's answer, and a plan may go on after it; a fault is nobody's answer.
    is_fault = ERRORS[step.error.code].family != "tool"
    return Ending("failed", error=step.error) if is_fault or call.on_error == "stop" else None
