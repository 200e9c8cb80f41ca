"""What the store gives out and takes in: runs as they are kept, leases, endings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from common.context import RequestSource
from common.errors import Problem
from common.ids import RunId, SessionId
from common.models import Lenient
from common.plans import Plan
from common.runs import Budget, Run, RunResult, Session, Step


class RunDocument(Lenient):
    """What a run was asked to do: written once."""

    id: RunId
    session_id: SessionId
    goal: str | None
    plan: Plan | None
    planner: str
    budget: Budget
    request_id: str
    request_source: RequestSource
    traceparent: str | None


@dataclass(frozen=True)
class Lease:
    """The right to go on with a run: every write shows its fence, and a newer one ends it."""

    session: Session
    run: RunDocument
    steps: tuple[Step, ...]
    started_at: datetime
    fence: int
    cancel_requested: bool
    is_planned: bool


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    status: Literal["succeeded", "failed", "cancelled"]
    result: RunResult | None = None
    error: Problem | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Wakeup:
    """A hint that a run may be ready to start or to be taken over."""

    session_id: str
    run_id: str


Fields = Mapping[str, str]


def moment(value: str | None) -> datetime | None:
    """Read a time that a script wrote, in milliseconds since the epoch."""
    return None if value is None else datetime.fromtimestamp(int(value) / 1000, UTC)


def read_session(fields: Fields) -> Session:
    """Read a session's hash."""
    document = Session.model_validate_json(fields["document"])
    return document.model_copy(
        update={"active_run": fields["active"] or None, "created_at": moment(fields["created"])}
    )


def read_steps(fields: Fields) -> list[Step]:
    """Read a run's steps, in order."""
    steps = [Step.model_validate_json(step) for step in fields.values()]
    return sorted(steps, key=lambda step: step.n)


def read_run(fields: Fields, steps: Fields) -> Run:
    """Read a run's hashes into what clients see."""
    document = RunDocument.model_validate_json(fields["document"])
    plan = Plan.model_validate_json(fields["plan"]) if "plan" in fields else document.plan
    return Run.model_validate(
        {
            "id": document.id,
            "session_id": document.session_id,
            "status": fields["status"],
            "goal": document.goal,
            "planner": document.planner,
            "plan": plan,
            "steps": read_steps(steps),
            "result": _read_json(RunResult, fields.get("result")),
            "error": _read_json(Problem, fields.get("error")),
            "revision": int(fields["revision"]),
            "created_at": moment(fields["created"]),
            "started_at": moment(fields.get("started")),
            "finished_at": moment(fields.get("finished")),
        }
    )


def _read_json(
    model: type[RunResult] | type[Problem], text: str | None
) -> RunResult | Problem | None:
    return None if text is None else model.model_validate_json(text)
