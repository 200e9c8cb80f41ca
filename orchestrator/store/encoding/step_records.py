"""Steps as scripts take them: what is kept, what is told of it, and how many bytes that takes."""

from dataclasses import dataclass

from common.errors import Problem, ToolError
from common.plans import TurnCall
from common.runs import Step
from orchestrator.store.encoding.run_records import dump_step, own_length
from orchestrator.store.encoding.telling import brief, length, to_json
from orchestrator.store.records import StoredStep

StepEntry = tuple[StoredStep, TurnCall]
"""A step as it is now, and the call of a turn that it makes."""
_TOLD = set(Step.model_fields) - {"output"}
"""What an event says of a step: of a stored one as well."""


@dataclass(frozen=True)
class StepRecord:
    """What `record_steps` in lua/_prelude.lua takes of a step."""

    size: int
    """Bytes of its output, or, while it is only begun, of what its turn does not say of it."""
    arguments: tuple[str | int, ...]


def step_record(step: StoredStep, call: TurnCall) -> StepRecord:
    """Return the record of a step that is begun, or has an outcome."""
    is_begun = step.status == "running"
    if is_begun:
        size, event = own_length(step, call), "step.started"
    else:
        size = length(step.output) if step.output else 0
        event = "step.succeeded" if step.status == "succeeded" else "step.failed"
    told = _started(step) if is_begun else _ended(step)
    kept, mark = dump_step(step, call), f"{step.status}:{size}"
    return StepRecord(size, (mark, step.n, kept, event, step.id, told, int(not is_begun), size))


def _started(step: StoredStep) -> str:
    told = {"n": step.n, "name": step.name, "tool": step.tool, "arguments": brief(step.arguments)}
    return to_json(told)


def _ended(step: StoredStep) -> str:
    told = step.model_copy(update={"output": None, "arguments": brief(step.arguments)})
    return told.model_dump_json(include=_TOLD)


def unfit(step: StoredStep, call: TurnCall, limit: int) -> ToolError:
    """Return why a call is not made whose arguments a run cannot store.

    What references have become counts like an output, and so does what it is expected to find.
    """
    return ToolError(
        "output_too_large",
        "The arguments do not fit into what a run can store",
        tool=step.tool,
        limit=limit,
        actual=own_length(step, call),
    )


def without_output(step: StoredStep, request_id: str, limit: int, actual: int) -> StoredStep:
    """Return a step that is stored in place of one whose output is too large, in bytes."""
    error = _too_large(step, request_id, limit, actual)
    return step.model_copy(update={"status": "failed", "output": None, "error": error})


def _too_large(step: StoredStep, request_id: str, limit: int, actual: int) -> Problem:
    path = (step.arguments or {}).get("path")
    return ToolError(
        "output_too_large",
        f"The output of step '{step.name}' is too large to be kept; its effects stand",
        outcome="executed",
        path=path if isinstance(path, str) else None,
        tool=step.tool,
        limit=limit,
        actual=actual,
    ).problem("orchestrator", request_id)
