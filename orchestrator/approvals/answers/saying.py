"""What people say of a turn is about the plan that they have seen: of another one it is not heard."""

from pydantic import BaseModel

from common.errors import AgenticError, error
from orchestrator.approvals.judging import Judge
from orchestrator.approvals.showing import with_outcome
from orchestrator.approvals.weighing import Weighed, weigh
from orchestrator.store.approvals.reviews import Said, WaitingTurn
from orchestrator.store.records import Review, StoredTurn

_NOTHING = Review(t=0, calls=[])


def is_about(expected: int, waiting: WaitingTurn) -> bool:
    """Tell whether a turn waits for what is said under this revision."""
    return waiting.status == "awaiting_approval" and waiting.revision == expected


def unheard(expected: int, body: BaseModel, waiting: WaitingTurn) -> Said:
    """Return what cannot be stored any more: whether it was said before, only the store can tell.

    A revision never comes back, and one that waits no more never waits again. Raises `invalid_state`, or
    `precondition_failed`, for one that is still to come: nothing can have been said under it.
    """
    if expected > waiting.revision:
        raise _too_early(expected, waiting)
    return Said(expected, body, _NOTHING, "", {})


def _too_early(expected: int, waiting: WaitingTurn) -> AgenticError:
    if not waiting.revision:
        return error("invalid_state", f"Nothing of run '{waiting.document.id}' waits")
    detail = f"The plan has revision {waiting.revision}, and not {expected}"
    return error("precondition_failed", detail, actual=waiting.revision)


def asked(waiting: WaitingTurn) -> tuple[StoredTurn, Review]:
    """Return the turn that waits, with its review."""
    if waiting.turn is None or waiting.review is None:
        raise RuntimeError("a run waits for an answer to no turn")
    return waiting.turn, waiting.review


def weighed(waiting: WaitingTurn, judge: Judge, review: Review) -> list[Weighed]:
    """Weigh the calls of the turn that are left. For a thread, as `weigh` is."""
    turn, _ = asked(waiting)
    # steps are numbered over the run: its first turn with calls begins with the first of them
    is_first = turn.calls[0].n == 1
    return weigh(turn, judge, with_outcome(waiting.steps), review, is_first=is_first)
