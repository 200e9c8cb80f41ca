"""How the command words what it prints: a call in short, wrong fields, what a run has taken."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from agentic.api.events import Approval, Replaced
from agentic.api.problems import bounded, shortened
from common.errors import ErrorContext, Problem
from common.models import Lenient
from common.runs import Run

MAX_ARGUMENT = 60
MAX_CALL = 1000
"""Characters."""
MAX_LINES = 20
"""Of a detail."""


WAITING = ("awaiting_approval", "awaiting_input")
"""Statuses of a run that waits for a person."""


class Call(Lenient):
    """A step as the event that begins it tells of it, and as every step can be told."""

    n: int
    name: str
    tool: str
    arguments: dict[str, Any] | None


_ANSWERED = {"approve": "approved", "reject": "rejected"}


def call_in_short(step: Mapping[str, Any]) -> str:
    """Return a call in short; the run's plan has the arguments that are null in an answer."""
    call = Call.model_validate(step)
    given = call.arguments
    pairs = ["…"] if given is None else [f"{key}={_short(given[key])}" for key in given]
    return in_one_line(shortened(f"{call.name}: {call.tool}({', '.join(pairs)})", MAX_CALL))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_ARGUMENT else f"{text[:MAX_ARGUMENT]}…"


def what_happened(problem: Problem) -> str:
    """Return the detail of an error and its code."""
    return in_one_line(f"{shortened(problem.detail)} [{shortened(problem.code)}]")


def lines_of(problem: Problem) -> list[str]:
    """Return an error in lines: what happened, what to do, and how to ask about it."""
    told = bounded(problem)
    request = "" if told.request_id is None else f"request: {told.request_id} "
    return [
        f"error: {_set_in(told.detail)} [{in_one_line(told.code)}]",
        f"  hint: {in_one_line(told.hint)}",
        *(f"  {in_one_line(field)}" for field in _wrong_fields(told)),
        f"  {in_one_line(request)}({told.source}, {told.outcome})",
    ]


def lines_in(text: str) -> list[str]:
    """Return the lines of a text from elsewhere: only a line feed ends one, for tools and files alike.

    What else `splitlines` takes for an end would have a file's content pass for lines of a diff.
    """
    return text.removesuffix("\n").split("\n") if text else []


def in_one_line(text: str) -> str:
    """Return what a server says so that none of it begins a line, and passes for the command's own."""
    return text.replace("\n", " ")


def _set_in(text: str) -> str:
    """Return a text whose lines, such as a list of files, begin further in than the command's own do."""
    *lines, rest = text.split("\n", MAX_LINES)
    return "\n    ".join([*lines, in_one_line(rest)])


def _wrong_fields(problem: Problem) -> list[str]:
    """Return what an error says of fields of the input; of an odd document nothing."""
    try:
        fields = ErrorContext.model_validate(problem.context).fields or []
    except ValidationError:
        return []
    return [f"{field.field}: {field.message}" for field in fields]


def message_in_short(message: Mapping[str, Any]) -> str:
    """Return what somebody has sent to a run."""
    return f"message: {message.get('text')}"


def approval_in_short(answer: Mapping[str, Any]) -> str:
    """Return what somebody has answered to a turn, as the event tells of it."""
    told = Approval.model_validate(answer)
    reason = f": {shortened(told.reason)}" if told.reason else ""
    said = _ANSWERED.get(told.decision, shortened(told.decision))
    return in_one_line(f"{said}{_named(told.steps)}{reason}")


def edit_in_short(edit: Mapping[str, Any]) -> str:
    """Return which calls somebody has edited, likewise."""
    return f"edited{_named(Replaced.model_validate(edit).steps)}"


def _named(steps: Sequence[int]) -> str:
    named = [str(n) for n in steps[:MAX_LINES]]
    more = ["…"] if len(steps) > MAX_LINES else []
    return f" step {', '.join([*named, *more])}" if named else ""


def how_to_answer(run: Run, status: str) -> list[str]:
    """Return, of a run that waits so for a person, the line that says how to answer."""
    name = f"{run.session_id}/{run.id}"
    if status == "awaiting_input":
        return [f'answer it with: agentic answer {name} "TEXT"']
    if status == "awaiting_approval":
        return [f"answer it with: agentic approve {name}, or agentic reject {name}"]
    return []


def taken(run: Run) -> str:
    """Return what a run has taken: steps, tokens, money, time."""
    used = run.usage
    told = [f"{len([step for step in run.steps if step.status != 'pending'])} steps"]
    if used.input_tokens or used.output_tokens:
        told += [f"{used.input_tokens} tokens in ({used.cached_tokens} cached)"]
        told += [f"{used.output_tokens} out"]
    if used.lost_tokens:
        told += [f"up to {used.lost_tokens} lost"]
    if used.cost is not None:
        told += [f"${used.cost:.4f}"]
    return ", ".join([*told, _seconds(run)])


def _seconds(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:  # or it waits for an answer
        return "not started" if run.started_at is None else "not finished"
    return f"{(run.finished_at - run.started_at).total_seconds():.2f} s"
