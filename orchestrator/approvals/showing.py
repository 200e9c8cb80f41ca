"""Shows people the calls of a turn: what each would do, and what was said of it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from common.approvals.reviews import CallState, PlannedCall, TurnPlan
from common.plans import Plan, Turn, TurnCall
from common.runs import Step
from common.tools import Tools
from orchestrator.approvals.dry_running import Arguments
from orchestrator.store.approvals.reviews import WaitingTurn
from orchestrator.store.records import Review, ReviewedCall

_WITHOUT_OUTCOME = ("pending", "running")
_REFUSED: Mapping[str, CallState] = {"rejected": "rejected", "denied_by_rule": "denied"}
"""What a step failed with that was not made, for what was said of its call."""


def turn_plan(waiting: WaitingTurn, tools: Tools) -> TurnPlan:
    """Return a run's last turn as a person is shown it; of a run that has not begun, its plan.

    `tools` tell the effects of such a plan, as far as they are known. It may be megabytes: for a thread.
    """
    document = waiting.document
    turn: Turn | None = waiting.turn
    if turn is None and document.plan is not None:
        turn = turn_of(document.plan, tools)
    is_waiting = waiting.status == "awaiting_approval"
    return TurnPlan(
        run_id=document.id,
        session_id=document.session_id,
        t=0 if turn is None else turn.t,
        plan_revision=waiting.revision,
        is_waiting=is_waiting,
        answer_by=waiting.answer_by if is_waiting else None,
        calls=(
            [] if turn is None else shown_calls(turn, waiting.review, with_outcome(waiting.steps))
        ),
    )


def with_outcome(steps: Iterable[Step]) -> list[Step]:
    """Return the steps that have an outcome, in order."""
    return [step for step in steps if step.status not in _WITHOUT_OUTCOME]


def turn_of(plan: Plan, tools: Tools) -> Turn:
    """Return the turn, numbered 0, that a plan comes to once its run begins."""
    calls = [
        TurnCall(
            n=n,
            **step.model_dump(),
            effect=tools[step.tool].effect if step.tool in tools else "write",
            has_references=True,
        )
        for n, step in enumerate(plan.steps, 1)
    ]
    return Turn(t=0, calls=calls, decided_at=datetime.now(UTC))


def shown_calls(turn: Turn, review: Review | None, made: Iterable[Step]) -> list[PlannedCall]:
    """Return the calls of a turn; `made` are the steps that have an outcome."""
    entries = {} if review is None else review.by_number
    steps = {step.n: step for step in made}
    return [_shown(call, entries.get(call.n), steps.get(call.n)) for call in turn.calls]


def shown_arguments(call: TurnCall, entry: ReviewedCall, step: Step | None) -> Arguments:
    """Return a call's arguments as a person is shown them: as it was made, was edited, or was decided."""
    if step is not None and step.arguments is not None:
        return step.arguments
    return call.arguments if entry.arguments is None else entry.arguments


def _shown(call: TurnCall, entry: ReviewedCall | None, step: Step | None) -> PlannedCall:
    entry = entry or ReviewedCall(n=call.n, state="free")
    return PlannedCall(
        n=call.n,
        name=call.name,
        tool=call.tool,
        effect=call.effect,
        arguments=shown_arguments(call, entry, step),
        is_edited=entry.arguments is not None,
        state=entry.state if step is None else _state(step),
        preview=entry.preview,
        reason=entry.reason,
    )


def _state(step: Step) -> CallState:
    return "made" if step.error is None else _REFUSED.get(step.error.code, "made")
