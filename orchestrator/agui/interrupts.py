"""What a run waits with, as AG-UI asks for it: its id says all that an answer has to be about."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self, cast

from ag_ui.core import Interrupt
from pydantic import Field

from common.approvals.reviews import ApprovalAnswer, Remember, TurnPlan
from common.models import Strict
from common.plans import MAX_STEPS
from common.runs import MessageCreate, Run
from orchestrator.agui.inputs import OPTIONS, refused
from orchestrator.streaming.frames import START, Cursor

Kind = Literal["approval", "input"]
_ID = re.compile(
    r"(ses_[0-9a-f]{32}):(run_[0-9a-f]{32}):(approval|input):([0-9]{1,18}):([0-9]+(?:\.[0-9]+)?)"
)


class Verdict(Strict):
    """The answer to calls that ask."""

    approved: bool
    steps: Annotated[list[int], Field(min_length=1, max_length=MAX_STEPS)] | None = None
    """The numbers of the calls that it is about; null: all that ask."""
    reason: Annotated[str, Field(max_length=2000)] | None = None
    """Why not: a model is told."""
    remember: Remember | None = None
    """Approve, or reject, what is like this from now on without asking."""

    def as_answer(self) -> ApprovalAnswer:
        """Return it as the rest of the service knows it."""
        decision = "approve" if self.approved else "reject"
        return ApprovalAnswer.model_validate(
            {**self.model_dump(exclude={"approved"}), "decision": decision}
        )


@dataclass(frozen=True)
class Waiting:
    """The place where a run waits: whoever answers needs nothing that is kept here.

    The session is named because a run may wait for longer than its thread's name is kept.
    """

    session_id: str
    run_id: str
    kind: Kind
    revision: int
    """Of the plan (`approval`), or of the run that has the question (`input`)."""
    cursor: Cursor
    """Behind which the run's events go on once it is answered."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an interrupt's id; raise `invalid_request` for what is none."""
        if found := _ID.fullmatch(text):
            session_id, run_id, kind, revision, cursor = found.groups()
            place = Cursor.parse(cursor)
            waiting = cls(session_id, run_id, cast("Kind", kind), int(revision), place)
            if str(waiting) == text:  # answers are known by it: it has no other spelling
                return waiting
        raise refused("resume.0.interruptId", "is no interrupt's id")

    def __str__(self) -> str:
        """Return what `parse` reads."""
        return ":".join(
            (self.session_id, self.run_id, self.kind, str(self.revision), str(self.cursor))
        )


def confirmation(plan: TurnPlan, cursor: Cursor | None) -> Interrupt:
    """Return the question whether the calls of a turn may be made. It may be megabytes: for a thread."""
    asking = [f"{call.tool} (step {call.n})" for call in plan.calls if call.state == "asks"]
    waiting = Waiting(plan.session_id, plan.run_id, "approval", plan.plan_revision, cursor or START)
    return Interrupt(
        id=str(waiting),
        reason="confirmation",
        message=f"May this be done? {', '.join(asking)}",
        response_schema=Verdict.model_json_schema(),
        expires_at=None if plan.answer_by is None else plan.answer_by.isoformat(),
        metadata={OPTIONS: plan.model_dump(mode="json")},
    )


def question(run: Run, cursor: Cursor | None) -> Interrupt:
    """Return what a run wants to know."""
    waiting = Waiting(run.session_id, run.id, "input", run.revision, cursor or START)
    return Interrupt(
        id=str(waiting),
        reason="input_required",
        message=run.question,
        response_schema=MessageCreate.model_json_schema(),
    )
