"""The `plan` planner: the client's own steps, one after the other."""

import asyncio
from collections.abc import Iterator, Sequence

from common.errors import ClientError, FieldError
from common.folding import fold
from common.plans import Plan, PlanStep
from common.runs import PlannerSpec, RunCreate, Step
from common.tools import Tools
from orchestrator.planners.plan.argument_check import argument_errors
from orchestrator.planners.plan.references import FIELDS, pointers
from orchestrator.planners.protocol import (
    Call,
    CallTools,
    Decision,
    Finish,
    History,
    Surroundings,
)

MAX_FIELDS = 20


class PlanPlanner:
    """Follows a plan: one turn; a step's references are resolved just before its call."""

    spec = PlannerSpec(
        name="plan",
        description="Performs the steps of an explicit plan; arguments may refer to earlier outputs.",
    )

    def check(self, asked: RunCreate, tools: Tools) -> None:
        """Raise `invalid_plan`, with the fields to correct, for what is bound to fail."""
        plan = asked.plan
        if plan is None:
            raise ClientError("invalid_plan", "The 'plan' planner needs a plan")
        fields = [error for n in range(len(plan.steps)) for error in _errors(plan, n, tools)]
        if fields:
            names = ", ".join(field.field for field in fields[:MAX_FIELDS])
            raise ClientError("invalid_plan", f"Not valid: {names}", fields=fields[:MAX_FIELDS])

    async def next(self, history: History, _around: Surroundings) -> Decision:
        """Return all steps that have not been made: the client has decided already."""
        steps = history.plan.steps if history.plan is not None else []
        left = steps[len(history.steps) :]
        if not left:
            return Finish(await asyncio.to_thread(_summary, history.steps))
        return CallTools([_call(step) for step in left])


def _call(step: PlanStep) -> Call:
    return Call(step.name, step.tool, step.arguments, step.on_error, has_references=True)


def _errors(plan: Plan, n: int, tools: Tools) -> Iterator[FieldError]:
    step, where = plan.steps[n], f"steps.{n}"
    if step.tool not in tools:
        yield FieldError(field=f"{where}.tool", message="there is no such tool")
        return
    yield from argument_errors(step.arguments, tools[step.tool], f"{where}.arguments")
    earlier = {made.name for made in plan.steps[:n]}
    for key, value in step.arguments.items():
        for place, pointer in pointers(value, f"{where}.arguments.{key}"):
            if (message := _pointer_error(pointer, earlier)) is not None:
                yield FieldError(field=place, message=message)


def _pointer_error(pointer: object, earlier: set[str]) -> str | None:
    if not isinstance(pointer, str):
        return "$from takes a string"
    name, *tokens = pointer.split("/")
    if name not in earlier:
        return "$from must name an earlier step"
    if tokens and tokens[0] not in FIELDS:
        return f"after the step comes one of {', '.join(FIELDS)}"
    return None


def _summary(steps: Sequence[Step]) -> str:
    """Say what came of the steps, in words."""
    changes = fold(step.receipts for step in steps)
    removed = sum(change.mode is None for change in changes)
    created = sum(change.created for change in changes)
    counts = {
        "created": created,
        "changed": len(changes) - created - removed,
        "removed": removed,
        "failed": sum(step.status == "failed" for step in steps),
    }
    told = [f"{count} {what}" for what, count in counts.items() if count]
    return f"{len(steps)} steps done" + (f": {', '.join(told)}" if told else "")
