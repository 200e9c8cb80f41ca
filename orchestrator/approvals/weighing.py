"""Weighs the calls of a turn that are left: what each would be made with, and what becomes of it."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from common.approvals.reviews import CallState
from common.errors import ToolError
from common.plans import Turn, TurnCall
from common.runs import Step
from orchestrator.approvals.dry_running import Arguments
from orchestrator.approvals.judging import Judge, Judgement
from orchestrator.planners.plan.references import named_steps, resolve_arguments
from orchestrator.store.records import Review, ReviewedCall

MAX_ARGUMENTS = 4 * 1024 * 1024
"""Bytes of a call's arguments, what references resolve to included."""
_FAILS = Judgement("fail", [])
_STATES: Mapping[str, CallState] = {
    "make": "free",
    "fail": "free",
    "deny": "denied",
    "later": "deferred",
    "ask": "asks",
}


@dataclass(frozen=True)
class Weighed:
    """A call that is left."""

    call: TurnCall
    """With the effect that its tool has by now."""
    arguments: Arguments | None
    """Those that it would be made with; None as long as they depend on a call that is left."""
    judgement: Judgement
    reviewed: ReviewedCall
    """As a person has seen it before, if one has; its state is what it is now."""

    @property
    def state(self) -> CallState:
        """What becomes of the call."""
        return self.reviewed.state

    @property
    def changes(self) -> bool:
        """Whether it is going to change something, as far as is known."""
        is_made = self.state in ("free", "asks", "approved")
        return self.call.effect != "read" and is_made and self.judgement.answer != "fail"


def weigh(
    turn: Turn, judge: Judge, steps: Sequence[Step], review: Review | None, *, is_first: bool
) -> list[Weighed]:
    """Weigh the calls of a turn that have no outcome among the run's `steps`, in their order.

    `is_first`: no turn before it had calls. It may hold a thousand calls, or megabytes: for a thread.
    """
    made = {step.n for step in steps}
    by_name = {step.name: step for step in steps}
    before = {} if review is None else review.by_number
    weighed: list[Weighed] = []
    names: set[str] = set()
    for call in (judge.known(call) for call in turn.calls if call.n not in made):
        reviewed = before.get(call.n) or ReviewedCall(n=call.n, state="free")
        arguments, judgement = _judged(call, reviewed, judge, by_name, names, is_first)
        names.add(call.name)
        state = _state(judgement, reviewed)
        now = reviewed.model_copy(update={"state": state, "reason": _reason(judgement, reviewed)})
        weighed.append(Weighed(call, arguments, judgement, now))
    return weighed


def _judged(
    call: TurnCall,
    reviewed: ReviewedCall,
    judge: Judge,
    by_name: Mapping[str, Step],
    left: Set[str],
    is_first: bool,
) -> tuple[Arguments | None, Judgement]:
    arguments = call.arguments if reviewed.arguments is None else reviewed.arguments
    if call.error is not None:
        return arguments, _FAILS
    if call.has_references:
        if not named_steps(arguments).isdisjoint(left):
            return None, judge.of(call, None, is_first=is_first)
        try:
            arguments = resolve_arguments(arguments, by_name, MAX_ARGUMENTS)
        except ToolError:  # its step fails with that
            return arguments, _FAILS
    return arguments, judge.of(call, arguments, is_first=is_first)


def _state(judgement: Judgement, reviewed: ReviewedCall) -> CallState:
    """Return what becomes of a call: a denial counts whatever a person has said, for it may be newer.

    One that was rejected stays so: by the rule that remembers it, nobody would be told why.
    """
    state = _STATES[judgement.answer]
    if reviewed.state == "rejected":
        return "rejected"
    if state != "denied" and reviewed.state in ("asks", "approved"):
        return reviewed.state
    return state


def _reason(judgement: Judgement, reviewed: ReviewedCall) -> str | None:
    if judgement.answer != "deny" or reviewed.state == "rejected":
        return reviewed.reason
    return judgement.denial(None).detail


def is_first_with_calls(turn: Turn, turns: Iterable[Turn]) -> bool:
    """Tell whether a turn of a run is the first one that calls anything."""
    return next((other.t for other in turns if other.calls), turn.t) == turn.t
