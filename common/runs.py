"""Sessions, runs, steps and events: the wire between the orchestrator and its clients."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema, model_validator

from common.errors import Problem
from common.ids import Name, RunId, SessionId, StepId
from common.models import Duration, Lenient, Strict, UtcTime
from common.plans import Plan
from common.tools import Receipt

RunStatus = Literal[
    "queued", "running", "awaiting_approval", "awaiting_input", "succeeded", "failed", "cancelled"
]
StepStatus = Literal["pending", "running", "succeeded", "failed", "skipped", "cancelled"]
OnBusy = Literal["reject", "enqueue"]
FINAL_STATUSES = frozenset({"succeeded", "failed", "cancelled"})
FINAL_EVENTS = frozenset({"run.succeeded", "run.failed", "run.cancelled"})
MIN_TTL = timedelta(seconds=60)
"""A session that went sooner would be gone between two looks of whoever keeps it."""


def long_enough(ttl: timedelta) -> timedelta:
    """Return a session's time to live; refuse one below the bound, and say the bound."""
    if ttl < MIN_TTL:
        raise ValueError(f"it must be at least {MIN_TTL.total_seconds():.0f} seconds")
    return ttl


SessionTtl = Annotated[
    Duration,
    AfterValidator(long_enough),
    WithJsonSchema({"type": "number", "minimum": MIN_TTL.total_seconds()}),
]
Metadata = dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]]


class SessionCreate(Strict):
    """A session to open: sessions of one user that name the same workspace share it."""

    workspace: Name | None = None
    metadata: Annotated[Metadata, Field(max_length=32)] = {}
    ttl: SessionTtl | None = None
    """Seconds that an idle session is kept: 60 at least, at most what the service allows."""


class Session(Lenient):
    """A client's place to run things in: one user, one workspace, any number of runs."""

    id: SessionId
    user_id: Name
    workspace: Name
    metadata: Metadata = {}
    ttl: float
    """Seconds."""
    active_run: RunId | None = None
    created_at: UtcTime


class Budget(Strict):
    """Hard bounds on a run."""

    steps: Annotated[int, Field(gt=0, le=1000)] = 100
    seconds: Annotated[float, Field(gt=0, le=86400)] = 600.0
    tokens: Annotated[int, Field(gt=0)] | None = None


class RunCreate(Strict):
    """A goal in words, or a plan: exactly one of them."""

    goal: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    plan: Plan | None = None
    planner: Annotated[str, Field(max_length=64)] | None = None
    approval: Literal["never"] = "never"
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
    receipts: list[Receipt] = []
    error: Problem | None = None
    status: StepStatus = "pending"
    attempts: int = 0
    started_at: UtcTime | None = None
    duration_ms: float | None = None


class RunResult(Lenient):
    """What a run came to: its answer, and each path that is not as it was, as it is now (`fold`)."""

    answer: str
    changes: list[Receipt]


class Run(Lenient):
    """A run as clients see it."""

    id: RunId
    session_id: SessionId
    status: RunStatus
    goal: str | None
    planner: str
    plan: Plan | None
    steps: list[Step]
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
    `.delta`, `.succeeded`, `.failed`; `gap`; or what a newer service tells: pass over the unknown.
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
