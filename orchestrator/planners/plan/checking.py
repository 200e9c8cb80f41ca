"""Checks a step whose arguments may hold references, before anything is done."""

from collections.abc import Iterator, Set

from common.errors import FieldError
from common.plans import PlanStep
from common.tools import did_you_mean
from orchestrator.planners.argument_check import ArgumentCheck, Place, field_error
from orchestrator.planners.plan.references import FIELDS, pointers


def errors_of(
    step: PlanStep, where: Place, check: ArgumentCheck, earlier: Set[str]
) -> Iterator[FieldError]:
    """Yield what is wrong with a step that may refer to the `earlier` ones, each with its place."""
    if step.tool not in check.tools:
        near = did_you_mean(step.tool, check.tools)
        there_is_none = "there is no such tool"
        yield field_error((*where, "tool"), f"{there_is_none}. {near}" if near else there_is_none)
        return
    where = (*where, "arguments")
    yield from check.errors(step.tool, step.arguments, where)
    for key, value in step.arguments.items():  # a key of theirs is a name, whatever it is
        for place, pointer in pointers(value):
            if (message := _pointer_error(pointer, earlier)) is not None:
                yield field_error((*where, key, *place), message)


def _pointer_error(pointer: object, earlier: Set[str]) -> str | None:
    if not isinstance(pointer, str):
        return "$from takes a string"
    name, *tokens = pointer.split("/")
    if name not in earlier:
        return "$from must name an earlier step"
    if tokens and tokens[0] not in FIELDS:
        return f"after the step comes one of {', '.join(FIELDS)}"
    return None
