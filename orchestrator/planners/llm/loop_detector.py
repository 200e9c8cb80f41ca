"""Notices that a model goes round in circles: it is nudged once, then its run ends as `stuck`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from common.errors import SystemFault
from common.plans import TurnCall
from common.runs import Step
from orchestrator.planners.llm.config import LoopLimits
from orchestrator.planners.protocol import PastTurn

MAX_SHOWN = 200
"""Characters of a call's arguments."""
MAX_CALLS = 3
"""Of a circle that are shown."""
LONGEST = 6
"""Turns of the longest circle that is looked for."""
T = TypeVar("T")
ADVICE = "It will not help to do it again. Do something else, or finish and say what is missing."


@dataclass(frozen=True)
class _Made:
    """A call and what came of it."""

    call: TurnCall
    step: Step

    @property
    def error(self) -> tuple[str, str] | None:
        return None if self.step.error is None else (self.call.tool, self.step.error.code)

    def is_like(self, other: "_Made") -> bool:
        """Say whether it is the same call with the same result."""
        return (self.call.tool, self.call.arguments, self.error, self.step.output) == (
            other.call.tool,
            other.call.arguments,
            other.error,
            other.step.output,
        )

    def __str__(self) -> str:
        arguments = json.dumps(self.call.arguments, ensure_ascii=False)
        shown = arguments if len(arguments) <= MAX_SHOWN else arguments[:MAX_SHOWN] + "…"
        return f"{self.call.tool} {shown}"


_Turn = list[_Made]


def nudges(
    turns: Sequence[PastTurn], steps: Sequence[Step], limits: LoopLimits
) -> Mapping[int, str]:
    """Return what is to be said to the model after a turn that completes a circle, by the turn's number.

    Raises SystemFault `stuck` for another circle after that, unless so much was done in between that
    the model has heeded it. It is counted anew after a nudge, and after a word of a person, which may
    have changed what there is to do.
    """
    outcomes = {step.n: step for step in steps}
    told: dict[int, str] = {}
    recent: list[_Turn] = []
    is_nudged = False
    for turn in (past.turn for past in turns):
        if turn.messages:
            recent, is_nudged = [], False
        made = _distinct([_Made(c, outcomes[c.n]) for c in turn.calls if c.n in outcomes])
        circle = None
        if made:
            recent.append(made)
            circle = _circle(recent, limits)
        if circle is not None and is_nudged and len(recent) <= 2 * _length(LONGEST, limits):
            raise SystemFault("stuck", f"The model was told so, and went on: {circle}")
        if circle is not None:
            told[turn.t] = f"You are going round in circles: {circle}. {ADVICE}"
            recent, is_nudged = [], True
    return told


def _distinct(made: Sequence[_Made]) -> list[_Made]:
    """Leave out what one turn has repeated: the model had not seen the first one's result yet."""
    distinct: list[_Made] = []
    for it in made:
        if not any(it.is_like(o) or (it.error and it.error == o.error) for o in distinct):
            distinct.append(it)
    return distinct


def _circle(turns: Sequence[_Turn], limits: LoopLimits) -> str | None:
    calls = [made for turn in turns[-max(limits.errors, limits.alternating) :] for made in turn]
    last = calls[-1]
    if _in_a_row(turns, limits.same, lambda turn: _are_alike(turn, turns[-1])):
        shown = _shown(turns[-1])
        return f"{limits.same} times in a row the same call with the same result: {shown}"
    if last.error and _in_a_row(calls, limits.errors, lambda it: it.error == last.error):
        tool, code = last.error
        return f"{limits.errors} times in a row the error {code} of {tool}, at last for {last}"
    if _alternates(calls, limits.alternating):
        return f"{limits.alternating} calls by turns that change nothing: {_shown(calls[-2:])}"
    if period := _period(turns, limits):
        shown = _shown([made for turn in turns[-period:] for made in turn])
        return f"the same {period} turns again and again, which change nothing: {shown}"
    return None


def _are_alike(turn: _Turn, other: _Turn) -> bool:
    return len(turn) == len(other) and all(map(_Made.is_like, turn, other))


def _in_a_row(recent: Sequence[T], times: int, is_it: Callable[[T], bool]) -> bool:
    return len(recent) >= times and all(map(is_it, recent[-times:]))


def _alternates(recent: Sequence[_Made], times: int) -> bool:
    if len(recent) < times or recent[-1].is_like(recent[-2]):
        return False
    return all(it.is_like(recent[-1 - n % 2]) for n, it in enumerate(reversed(recent[-times:])))


def _period(turns: Sequence[_Turn], limits: LoopLimits) -> int | None:
    """Return how many turns a circle has that was gone round often enough, None without one."""
    for period in range(3, LONGEST + 1):
        last = turns[-_length(period, limits) :]
        if len(last) < _length(period, limits) or _are_alike(last[-1], last[-2]):
            continue
        if all(map(_are_alike, last, last[period:])):
            return period
    return None


def _length(period: int, limits: LoopLimits) -> int:
    """Return how many turns are as many rounds of a circle as are allowed for two calls by turns."""
    return limits.alternating * period // 2


def _shown(calls: Sequence[_Made]) -> str:
    more = ["…"] if len(calls) > MAX_CALLS else []
    return ", ".join([*map(str, calls[:MAX_CALLS]), *more])
