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

IN_FLIGHT_TIME = 30.0
"""Seconds for the call of a step in flight to be made again, whatever the budget has left."""


class TurnMaker:
    """Goes on with a turn, wherever the last worker was lost in it."""

    def __init__(self, steps: StepMaker, parallel_reads: int) -> None:
        self._steps = steps
        self._parallel_reads = parallel_reads

    async def perform(self, run: RunState, turn: Turn, budget: BudgetMeter) -> Ending | None:
        """Make the calls of a turn that are left; return the run's ending when one of them ends it.

        Nothing is begun of a turn that needs more steps than the budget has.
        """
        if not run.has_begun(turn):
            budget.require_steps(turn)
        groups = await asyncio.to_thread(list, self._groups(run, turn))  # there may be many
        for group in groups:
            # With calls in flight, a cancelled run first finds out what became of those.
            if run.is_interrupted and not any(map(run.begun, group)):
                return None
            steps = await self._together(run, group, budget)
            for call, step in zip(group, steps, strict=True):
                if (ending := _ending_after(step, call)) is not None:
                    return ending
        return None

    def _groups(self, run: RunState, turn: Turn) -> Iterator[Sequence[TurnCall]]:
        """Yield the calls that are left: first, and alone, those whose outcome is not known.

        Nothing that keeps another call from being begun may end the run before theirs is.
        """
        left = run.left_of(turn)
        in_flight = [call for call in left if run.begun(call) is not None]
        if in_flight:
            yield in_flight
        yield from grouped((call for call in left if call not in in_flight), self._parallel_reads)

    async def _together(
        self, run: RunState, group: Sequence[TurnCall], budget: BudgetMeter
    ) -> Sequence[Step]:
        seconds = {call.n: _seconds_for(run, call, budget) for call in group}
        made = await asyncio.gather(
            *(self._steps.perform(run, call, seconds[call.n]) for call in group),
            return_exceptions=True,  # one that fails leaves no other behind
        )
        failures = [result for result in made if isinstance(result, BaseException)]
        if failures:
            raise failures[0]
        return [result for result in made if isinstance(result, Step)]


def _seconds_for(run: RunState, call: TurnCall, budget: BudgetMeter) -> float:
    return IN_FLIGHT_TIME if run.begun(call) is not None else budget.seconds_left()


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
    if call.effect != "read" or group[0].effect != "read":
        return False
    if not call.has_references:
        return True
    return named_steps(call.arguments).isdisjoint(other.name for other in group)


def _ending_after(step: Step, call: TurnCall) -> Ending | None:
    if step.status == "cancelled":
        return CANCELLED
    if step.error is None:
        return None
    # A refusal is the tool's answer, and a plan may go on after it; a fault is nobody's answer.
    is_fault = ERRORS[step.error.code].family != "tool"
    return Ending("failed", error=step.error) if is_fault or call.on_error == "stop" else None
