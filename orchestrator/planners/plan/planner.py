"""The `plan` planner: the client's own steps, one after the other."""

from collections.abc import Iterator, Sequence
from itertools import islice

from common.errors import ClientError, FieldError
from common.folding import fold
from common.off_loop import off_loop
from common.plans import Plan, PlanStep
from common.runs import PlannerSpec, RunCreate, Step
from common.tools import Tools
from orchestrator.planners.argument_check import ArgumentCheck
from orchestrator.planners.decisions import Call, CallTools, Decision, Finish
from orchestrator.planners.plan.checking import errors_of
from orchestrator.planners.plan.patience import Patient
from orchestrator.planners.protocol import History, Surroundings

MAX_FIELDS = 20
FEW = 100
"""Receipts that are folded sooner than a thread is ready."""


class PlanPlanner:
    """Follows a plan: one turn; a step's references are resolved just before its call."""

    spec = PlannerSpec(
        name="plan",
        description="Performs the steps of an explicit plan; arguments may refer to earlier outputs.",
    )
    checks_tools = True
    converses = False

    def __init__(self) -> None:
        self._check = ArgumentCheck({}, Patient)

    def check(self, asked: RunCreate, tools: Tools) -> None:
        """Raise `invalid_plan`, with the fields to correct, for what is bound to fail."""
        plan = asked.plan
        if plan is None:
            raise ClientError("invalid_plan", "The 'plan' planner needs a plan")
        check = self._check
        if check.tools is not tools:
            check = self._check = ArgumentCheck(tools, Patient)
        fields = list(islice(_errors(plan, check), MAX_FIELDS))
        if fields:
            names = ", ".join(field.field for field in fields)
            raise ClientError("invalid_plan", f"Not valid: {names}", fields=fields)

    async def next(self, history: History, _around: Surroundings) -> Decision:
        """Return all steps that have not been made: the client has decided already."""
        steps = history.plan.steps if history.plan is not None else []
        left = steps[len(history.steps) :]
        if not left:
            number = sum(len(step.receipts) for step in history.steps)
            return Finish(await off_loop(number <= FEW, _summary, history.steps))
        return CallTools([_call(step) for step in left])


def _call(step: PlanStep) -> Call:
    return Call(step.name, step.tool, step.arguments, step.on_error, has_references=True)


def _errors(plan: Plan, check: ArgumentCheck) -> Iterator[FieldError]:
    """Yield the plan's faults in order: whoever has enough of them stops."""
    earlier: set[str] = set()
    for n, step in enumerate(plan.steps):
        yield from errors_of(step, ("steps", n), check, earlier)
        earlier.add(step.name)


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
