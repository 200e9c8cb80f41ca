"""Runs, steps and events: the wire between the orchestrator and its clients."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from common.approvals.reviews import Policy
from common.context import Access
from common.errors import Problem
from common.ids import RunId, SessionId, StepId
from common.models import Items, Lenient, Strict, UtcTime
from common.plans import Plan, Usage
from common.tools import JsonSchema, Receipt, ToolName

RunStatus = Literal[
    "queued", "running", "awaiting_approval", "awaiting_input", "succeeded", "failed", "cancelled"
]
StepStatus = Literal["pending", "running", "succeeded", "failed", "skipped", "cancelled"]
OnBusy = Literal["reject", "enqueue"]
FINAL_STATUSES = frozenset({"succeeded", "failed", "cancelled"})
FINAL_EVENTS = frozenset({"run.succeeded", "run.failed", "run.cancelled"})


class Budget(Strict):
    """Hard bounds on a run."""

    steps: Annotated[int, Field(gt=0, le=1000)] = 100
    seconds: Annotated[float, Field(gt=0, le=86400)] = 600.0
    tokens: Annotated[int, Field(gt=0)] | None = None
    """Of a model, read and written."""
    cost: Annotated[float, Field(gt=0)] | None = None
    """US dollars."""


class RunCreate(Strict):
    """A goal in words, or a plan: exactly one of them."""

    goal: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    plan: Plan | None = None
    planner: Annotated[str, Field(max_length=64)] | None = None
    model: Annotated[str, Field(max_length=200)] | None = None
    """One of those that `GET /v1/planners` names; unset: the deployment's own."""
    instructions: Annotated[str, Field(max_length=20_000)] | None = None
    """What the model has to keep to in this run."""
    tools: Annotated[list[ToolName], Field(min_length=1, max_length=64)] | None = None
    """The only tools that the model may use; unset: all."""
    output_schema: JsonSchema | None = None
    """The JSON schema that the model's answer has to match; it is JSON then."""
    approval: Policy | None = None
    """What asks a person first; unset: as the deployment has it."""
    access: Access = "read_write"
    """With `read_only` nothing of the run can change anything: the execution environment refuses it."""
    budget: Budget = Budget()
    on_busy: OnBusy = "reject"

    @model_validator(mode="after")
    def _goal_or_plan(self) -> Self:
        if (self.goal is None) == (self.plan is None):
            raise ValueError("give either 'goal' or 'plan'")
        return self


class Step(Lenient):
    """One tool call of a run and what came of it."""

    id: StepId
    n: int
    """Counts from 1 within the run."""
    name: str
    tool: str
    arguments: dict[str, JsonValue] | None
    """Null where the run's plan says the same under this name: nothing comes twice in an answer."""
    output: dict[str, JsonValue] | None = None
    receipts: Items[Receipt] = []
    error: Problem | None = None
    status: StepStatus = "pending"
    attempts: int = 0
    started_at: UtcTime | None = None
    duration_ms: float | None = None


class RunResult(Lenient):
    """What a run came to: its answer, and each path that is not as it was, as it is now (`fold`)."""

    answer: str
    changes: Items[Receipt]


class RunUsage(Usage):
    """What a run has used so far."""

    steps: int = 0
    lost_tokens: int = 0
    """Reserved for answers of a model that were lost: nobody knows what they took."""


class MessageCreate(Strict):
    """What a person wants to tell a run: the answer to its question, or what to do from now on."""

    text: Annotated[str, Field(min_length=1, max_length=20_000)]


class Run(Lenient):
    """A run as clients see it."""

    id: RunId
    session_id: SessionId
    status: RunStatus
    goal: str | None
    planner: str
    plan: Plan | None
    approval: Policy = "never"
    access: Access = "read_write"
    model: str | None = None
    instructions: str | None = None
    workspace_instructions: str | None = None
    """The workspace's AGENTS.md, as the run keeps to it."""
    steps: Items[Step]
    usage: RunUsage = RunUsage()
    question: str | None = None
    """What a run that is `awaiting_input` wants to know."""
    plan_revision: int = 0
    """Of the turn that waits, or has waited, for a person: the ETag of its plan."""
    text: str | None = None
    """What the run's planner is saying at the moment."""
    result: RunResult | None = None
    error: Problem | None = None
    revision: int
    created_at: UtcTime
    started_at: UtcTime | None = None
    finished_at: UtcTime | None = None


class Event(Lenient):
    """Something that happened in a session; `seq` counts up by one (null on transient ones)."""

    seq: int | None
    type: str
    """`session.created`; `run.queued`, `.started`, `.resumed`, `.planned`, `.awaiting_approval`,
    `.awaiting_input`, `.succeeded`, `.failed`, `.cancelled`; `turn.decided`; `step.started`,
    `.delta`, `.succeeded`, `.failed`; `call.succeeded`, `call.failed`; `message.received`;
    `approval.received`, `plan.replaced`;
    `text.delta`; `gap`; or what a newer service tells: pass over the unknown.
    """
    time: UtcTime
    session_id: SessionId
    run_id: RunId | None = None
    step_id: StepId | None = None
    data: dict[str, Any]


class PlannerSpec(Lenient):
    """A planner as `GET /v1/planners` shows it."""

    name: str
    description: str
    available: bool = True
    reason: str | None = None
    """Why it is not available."""
    models: Items[str] = []
    """Those that a run may name; the first one is the deployment's own."""
