"""Performs a turn that was stored: reads that stand together side by side, each change alone."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from common.error_table import ERRORS
from common.plans import Turn, TurnCall
from common.runs import Step
from orchestrator.engine.budget import BudgetMeter
from orchestrator.engine.state import RunState
from orchestrator.engine.steps import StepMaker
from orchestrator.planners.plan.references import named_steps
from orchestrator.store.records import CANCELLED, Ending

FEW = 8
"""Calls without references that are grouped sooner than a thread is ready."""
IN_FLIGHT_TIME = 30.0
"""Seconds for the call of a step in flight to be made again, whatever the budget has left."""


class TurnMaker:
    """Goes on with a turn, wherever the last worker was lost in it."""

    def __init__(self, steps: StepMaker, parallel_reads: int) -> None:
        self._steps = steps
        self._parallel_reads = parallel_reads

    async def perform(self, run: RunState, turn: Turn, budget: BudgetMeter) -> Ending | None:
        """Make the calls of a turn that are left; return the run's ending when one of them ends it.

        Of a turn with calls in flight, only those: what they mean is asked anew (`known_ending`).
        Nothing is begun of a turn that needs more steps than the budget has.
        """
        if not run.has_begun(turn):
            budget.require_steps(turn)
        if in_flight := run.open_calls(turn):
            # First, and alone: nothing that keeps another call from being begun may end the run before
            # their outcome is known.
            await self._together(run, in_flight, budget)
            return None
        calls = run.left_of(turn)
        for group in await _groups(calls, self._parallel_reads):
            if run.is_interrupted:
                return None
            await self._together(run, group, budget)
            if (ending := _ending_after(run, group)) is not None:
                return ending
        return None

    async def _together(
        self, run: RunState, group: Sequence[TurnCall], budget: BudgetMeter
    ) -> None:
        seconds = {call.n: _seconds_for(run, call, budget) for call in group}
        made = await asyncio.gather(
            *(self._steps.perform(run, call, seconds[call.n]) for call in group),
            return_exceptions=True,  # one that fails leaves no other behind
        )
        failures = [result for result in made if isinstance(result, BaseException)]
        if failures:
            raise failures[0]


def _seconds_for(run: RunState, call: TurnCall, budget: BudgetMeter) -> float:
    return IN_FLIGHT_TIME if run.begun(call) is not None else budget.seconds_left()


async def _groups(calls: Sequence[TurnCall], most: int) -> Sequence[Sequence[TurnCall]]:
    if len(calls) <= FEW and not any(call.has_references for call in calls):
        return list(grouped(calls, most))
    return await asyncio.to_thread(lambda: list(grouped(calls, most)))


def grouped(calls: Iterable[TurnCall], most: int) -> Iterator[Sequence[TurnCall]]:
    """Yield calls that may be made side by side, in order: a change, or up to `most` reads.

    A read that refers to what another one gives waits for it.
    """
    group: list[TurnCall] = []
    for call in calls:
        if group and not (len(group) < most and _may_join(call, group)):
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
