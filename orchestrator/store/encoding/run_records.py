"""Runs as they are kept and as they are read: what a turn says of its steps is kept once."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from common.errors import Problem
from common.plans import Plan, PlanStep, Turn, TurnCall
from common.runs import Run, RunResult, RunUsage, Step
from orchestrator.store.encoding.session_records import read_session
from orchestrator.store.encoding.spending import read_spent
from orchestrator.store.encoding.telling import length
from orchestrator.store.records import (
    Fields,
    Lease,
    Review,
    RunDocument,
    StoredStep,
    StoredTurn,
    moment,
)

_NAMES = {"name", "tool"}
AnyStep = TypeVar("AnyStep", bound=Step)


def dump_step(step: Step, call: TurnCall) -> str:
    """Return a step's JSON; its arguments only where references made them other than the turn's."""
    is_same = step.arguments == call.arguments
    return step.model_dump_json(exclude=_NAMES | {"arguments"} if is_same else _NAMES)


def own_length(step: Step, call: TurnCall) -> int:
    """Return the bytes that a step takes beside its output: what its turn does not say of it."""
    arguments = 0 if step.arguments == call.arguments else length(step.arguments)
    expected = step.expected if isinstance(step, StoredStep) else None
    return arguments + sum(len(receipt.model_dump_json()) for receipt in expected or ())


def read_turns(fields: Fields) -> list[StoredTurn]:
    """Read a run's turns, in order."""
    turns = [StoredTurn.model_validate_json(turn) for turn in fields.values()]
    return sorted(turns, key=lambda turn: turn.t)


def read_steps(
    kind: type[AnyStep], fields: Fields, turns: Iterable[Turn], *, has_plan: bool = False
) -> list[AnyStep]:
    """Read a run's steps, in order; with `has_plan`, arguments that the plan has are left out."""
    calls = {call.n: call for turn in turns for call in turn.calls}
    steps = [kind.model_validate(_step(json.loads(t), calls, has_plan)) for t in fields.values()]
    return sorted(steps, key=lambda step: step.n)


def _step(
    kept: dict[str, object], calls: Mapping[int, TurnCall], has_plan: bool
) -> dict[str, object]:
    call = calls.get(int(str(kept["n"])))  # a step of format 2 is complete by itself
    told = {} if call is None else {"name": call.name, "tool": call.tool}
    arguments = None if call is None or has_plan else call.arguments
    return {"arguments": arguments, **told, **kept}


def read_plan(document: RunDocument, turns: Sequence[Turn]) -> Plan | None:
    """Return the plan that a client sent: of a run that has begun, its first turn holds it."""
    if document.plan is not None or document.planner != "plan" or not turns:
        return document.plan
    steps = [
        PlanStep(name=call.name, tool=call.tool, arguments=call.arguments, on_error=call.on_error)
        for call in turns[0].calls
    ]
    return Plan(steps=steps)


def read_run(fields: Fields, steps: Fields, turns: Fields, text: str | None = None) -> Run:
    """Read a run's hashes into what clients see."""
    document = RunDocument.model_validate_json(fields["document"])
    stored = read_turns(turns)
    plan = read_plan(document, stored)
    shown = read_steps(Step, steps, stored, has_plan=plan is not None)
    return Run.model_validate(
        {
            **_asked(document),
            **_state(fields),
            "plan": plan,
            "workspace_instructions": stored[0].workspace_instructions if stored else None,
            "steps": shown,
            "usage": _usage(fields, sum(step.status != "pending" for step in shown)),
            "question": stored[-1].question if stored and _asks(fields) else None,
            "text": text,
        }
    )


def _asked(document: RunDocument) -> dict[str, object]:
    return {
        "id": document.id,
        "session_id": document.session_id,
        "goal": document.goal,
        "planner": document.planner,
        "approval": document.approval,
        "access": document.access,
        "model": document.model,
        "instructions": document.instructions,
    }


def _state(fields: Fields) -> dict[str, object]:
    return {
        "status": fields["status"],
        "result": _read_json(RunResult, fields.get("result")),
        "error": _read_json(Problem, fields.get("error")),
        "revision": int(fields["revision"]),
        "plan_revision": int(fields.get("plan_revision", 0)),
        "created_at": moment(fields["created"]),
        "started_at": moment(fields.get("started")),
        "finished_at": moment(fields.get("finished")),
    }


def _usage(fields: Fields, steps: int) -> RunUsage:
    spent = read_spent(fields)
    used = spent.usage.model_dump()
    return RunUsage(**used, steps=steps, lost_tokens=spent.lost_tokens)


def _asks(fields: Fields) -> bool:
    return fields["status"] == "awaiting_input"


def _read_json(
    model: type[RunResult] | type[Problem], text: str | None
) -> RunResult | Problem | None:
    return None if text is None else model.model_validate_json(text)


def read_lease(
    session: Fields, run: Fields, steps: Fields, turns: Fields, reviews: Fields, fence: int
) -> Lease:
    """Read what the owner of a run goes on from."""
    document = RunDocument.model_validate_json(run["document"])
    stored = read_turns(turns)
    document = document.model_copy(update={"plan": read_plan(document, stored)})
    made = read_steps(StoredStep, steps, stored)
    return Lease(
        session=read_session(session),
        run=document,
        turns=tuple(stored),
        adopted=None if stored else _turn_of_format_2(made, document.plan),
        steps=tuple(made),
        review=read_review(reviews, stored),
        fence=fence,
        cancel_requested=run["cancel"] == "1",
        spent=timedelta(milliseconds=int(run.get("spent", 0))),
        used=read_spent(run),
    )


def read_review(reviews: Fields, turns: Sequence[Turn]) -> Review | None:
    """Read what people are shown, and have said, of a run's last turn; None where it asks nobody."""
    text = reviews.get(str(turns[-1].t)) if turns else None
    return None if text is None else Review.model_validate_json(text)


def _turn_of_format_2(steps: Sequence[Step], plan: Plan | None) -> StoredTurn | None:
    """Return a turn for the steps that a run had begun before there were turns."""
    if not steps:
        return None
    on_error = {step.name: step.on_error for step in plan.steps} if plan is not None else {}
    calls = [
        TurnCall(
            n=step.n,
            name=step.name,
            tool=step.tool,
            arguments=step.arguments or {},
            on_error=on_error.get(step.name, "stop"),
        )
        for step in steps
    ]
    return StoredTurn.model_validate({"t": 0, "calls": calls, "decided_at": steps[0].started_at})
