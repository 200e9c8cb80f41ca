"""How a call of a turn may be made: what a person, a rule or the run's access says of it."""

from dataclasses import dataclass, field

from pydantic import JsonValue

from common.context import Access
from common.errors import Problem, ToolError
from common.plans import TurnCall
from common.tools import Receipt
from orchestrator.approvals.pinning import Hashes
from orchestrator.store.records import ReviewedCall, RunDocument


@dataclass(frozen=True)
class Grant:
    """What a call may do, and as what; with a `refusal` it is not made."""

    access: Access = "read_write"
    arguments: dict[str, JsonValue] | None = None
    """Those that a person has put in place of the turn's."""
    expected: list[Receipt] | None = None
    """The receipts that a person has approved."""
    seen: Hashes = field(default_factory=dict)
    """Where it depends on an earlier call: what else a person saw to be there."""
    is_pinned_late: bool = False
    """Whether what it may find is known only once that earlier call is made."""
    k: int = 1
    """Number of the tool call: a further one where a person was asked once more."""
    refusal: Problem | None = None


def access_of(call: TurnCall, run: RunDocument) -> Access:
    """Return what a call that nobody has approved may do: one that reads cannot change anything."""
    return "read_only" if call.effect == "read" else run.access


def approved(call: TurnCall, reviewed: ReviewedCall, run: RunDocument) -> Grant:
    """Return how a call may be made that a person has approved."""
    preview = reviewed.preview
    is_late = preview is not None and preview.depends_on_step is not None
    is_pinned = preview is not None and not is_late
    return Grant(
        access=access_of(call, run),
        arguments=reviewed.arguments,
        expected=preview.receipts if preview is not None and is_pinned else None,
        seen=reviewed.seen,
        is_pinned_late=is_late,
        k=reviewed.k,
    )


def rejected(reviewed: ReviewedCall, request_id: str | None) -> Problem:
    """Return the error of a call that a person has rejected."""
    why = f": {reviewed.reason}" if reviewed.reason else ", and did not say why"
    return ToolError("rejected", f"A person has rejected this call{why}").problem(
        "orchestrator", request_id
    )
