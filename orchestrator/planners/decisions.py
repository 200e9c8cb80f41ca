"""What a planner can decide: calls, an answer, a question, to ask the model again, to shorten."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from common.errors import ToolError
from common.plans import OnError, Usage


@dataclass(frozen=True)
class Call:
    """A tool call to make; its arguments may hold references to earlier steps if it says so."""

    name: str
    tool: str
    arguments: dict[str, JsonValue]
    on_error: OnError = "stop"
    has_references: bool = False
    error: ToolError | None = None
    """Why it is not to be made: its step fails with that."""


@dataclass(frozen=True)
class ModelAnswer:
    """What a model has answered, verbatim, for the planner to send back to it; and what it cost."""

    message: JsonValue
    model: str
    usage: Usage
    text: str | None = None
    """What it says, beside its calls."""


@dataclass(frozen=True)
class CallTools:
    """Make these calls: changes in order, reads that stand together side by side."""

    calls: Sequence[Call]
    answered: ModelAnswer | None = None


@dataclass(frozen=True)
class Finish:
    """The goal is reached; the answer says what came of it."""

    answer: str
    answered: ModelAnswer | None = None


@dataclass(frozen=True)
class Ask:
    """Only a person can say how to go on: the calls are made, then the run waits for the answer."""

    question: str
    answered: ModelAnswer | None = None
    calls: Sequence[Call] = ()


@dataclass(frozen=True)
class Reconsider:
    """A model's answer is of no use: it is kept, with what is wrong with it, and asked for again."""

    feedback: str
    answered: ModelAnswer


@dataclass(frozen=True)
class Compact:
    """Show the model less of the turns up to `covers`: no tool outputs, or a summary for all of it."""

    covers: int
    summary: str | None = None
    answered: ModelAnswer | None = None
    """Who wrote the summary, and what it cost."""


Decision = CallTools | Finish | Ask | Reconsider | Compact
