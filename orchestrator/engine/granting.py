"""How a call of a turn may be made: what a person, a rule or the run's access says of it."""

from dataclasses import dataclass, field

from pydantic import JsonValue

from common.approvals.reviews import Preview
from common.context import Access
from common.errors import Problem, ToolError
from common.plans import TurnCall
from common.tools import Receipt
from orchestrator.approvals.pinning import Hashes
from orchestrator.approvals.weighing import Weighed
from orchestrator.store.records import ReviewedCall, RunDocument


@dataclass(frozen=True)
class Grant:
    """What a call may do, and as what; with a `refusal` it is not made."""

    access: Access = "read_write"
    arguments: dict[str, JsonValue] | None = None
    """Those that a person has put in place of the turn's."""
    expected: list[Receipt] | None = None
    """The receipts that a person has approved."""
    depends_on: int | None = None
    """The earlier call of its turn that it was approved to come after: what it may find is known only
    once that is made."""
    seen: Hashes = field(default_factory=dict)
    """What else that person saw to be there."""
    k: int = 1
    """Number of the tool call: a further one where a person was asked once more."""
    refusal: Problem | None = None


def access_of(call: TurnCall, run: RunDocument) -> Access:
    """Return what a call that nobody has approved may do: one that reads cannot change anything."""
    return "read_only" if call.effect == "read" else run.access


def unasked(call: TurnCall, run: RunDocument) -> Grant:
    """Return how a call may be made that nobody has to be asked about."""
    return Grant(access_of(call, run))


def granted(weighed: Weighed, run: RunDocument) -> Grant:
    """Return how a call may be made that neither asks nor has to wait for others."""
    entry, call = weighed.reviewed, weighed.call
    if entry.state == "denied":
        return Grant(refusal=weighed.judgement.denial(run.request_id))
    if entry.state == "rejected":
        return Grant(arguments=entry.arguments, refusal=_rejected(entry, run.request_id))
    preview = entry.preview or Preview()
    return Grant(
        access_of(call, run),
        arguments=entry.arguments,
        expected=_expected(call, entry),
        depends_on=preview.depends_on_step if entry.state == "approved" else None,
        seen=entry.seen,
        k=entry.k,
    )


def _expected(call: TurnCall, entry: ReviewedCall) -> list[Receipt] | None:
    """Return what a change has to do: what was approved; nothing, where nobody was shown what that is."""
    preview = entry.preview
    if call.effect == "read" or (preview is not None and preview.depends_on_step is not None):
        return None
    if entry.state == "approved":
        return [] if preview is None else preview.receipts
    return None if preview is None or preview.error is None else []


def _rejected(entry: ReviewedCall, request_id: str | None) -> Problem:
    why = f": {entry.reason}" if entry.reason else ", and did not say why"
    return ToolError("rejected", f"A person has rejected this call{why}").problem(
        "orchestrator", request_id
    )
