"""A turn that waits for a person: what each of its calls would do, and what was said of it."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from common.approvals.rules import PathGlob
from common.errors import Problem
from common.ids import RunId, SessionId
from common.models import Items, Lenient, Strict, UtcTime
from common.plans import MAX_STEPS, Plan
from common.tools import Effect, Receipt, ToolName

Policy = Literal["never", "plan", "writes", "always"]
"""What of a run asks a person: nothing, its first turn as a whole, what changes something, all of it."""
CallState = Literal["free", "asks", "approved", "rejected", "denied", "deferred", "made"]
"""`free` asks nobody; `denied` is by a rule; `deferred` asks when the run has come to it."""
Decision = Literal["approve", "reject"]


class Preview(Lenient):
    """What a call would do to the files as they are: by a dry run, and nothing of it is kept."""

    diff: str | None = None
    receipts: Items[Receipt] = []
    output: dict[str, JsonValue] | None = None
    """What else the tool would tell, such as how many entries it would delete."""
    error: Problem | None = None
    """Why it cannot be made as things are."""
    depends_on_step: int | None = None
    """The number of an earlier call of the turn that changes what this one is about: there is no diff
    before that is made."""


class PlannedCall(Lenient):
    """A call of a turn, as a person is shown it."""

    n: int
    """The number of its step."""
    name: str
    tool: str
    effect: Effect
    arguments: dict[str, JsonValue]
    is_edited: bool = False
    """Whether a person has replaced the arguments."""
    state: CallState
    preview: Preview | None = None
    """Of what asks, and of what a person has answered since."""
    reason: str | None = None
    """Why a person has rejected it, or which rule denies it."""


class TurnPlan(Lenient):
    """The calls of a run's last turn; `plan_revision` is its ETag."""

    run_id: RunId
    session_id: SessionId
    t: int
    plan_revision: int
    is_waiting: bool
    """Whether the run waits for an answer to it."""
    answer_by: UtcTime | None = None
    """When the run fails for want of an answer."""
    calls: Items[PlannedCall]


class EditedCall(Lenient):
    """New arguments of a call; what else a plan says of it is passed over, but must not differ."""

    n: int
    tool: ToolName | None = None
    name: str | None = None
    arguments: dict[str, JsonValue]


class PlanReplace(Lenient):
    """A plan with other arguments: calls that are left out stay as they are, none can be added."""

    calls: Annotated[list[EditedCall], Field(min_length=1, max_length=MAX_STEPS)]


class Remember(Strict):
    """The rule that an answer stands for from now on, in this session; null: any."""

    tool: ToolName | None = None
    path: PathGlob | None = None


class ApprovalAnswer(Strict):
    """A person's answer to a turn that waits, or to some calls of it."""

    decision: Decision
    steps: Annotated[list[int], Field(min_length=1, max_length=MAX_STEPS)] | None = None
    """The numbers of the calls that it is about; null: all that ask."""
    reason: Annotated[str, Field(max_length=2000)] | None = None
    """Why not: a model is told."""
    remember: Remember | None = None
    """Approve, or reject, what is like this from now on without asking."""


class PlanPreview(Strict):
    """A plan to preview that nobody has started."""

    session_id: SessionId
    plan: Plan


class PreviewedPlan(Lenient):
    """What the calls of a plan would do to the files as they are, and which of them would ask."""

    calls: Items[PlannedCall]
