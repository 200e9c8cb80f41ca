"""A conversation with a model, as the planner makes it and a model's adapter sends it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import JsonValue

from common.errors import SystemFault
from common.plans import Usage
from common.tools import JsonSchema

Say = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Said:
    """What a person says, or the framework on their behalf."""

    text: str


@dataclass(frozen=True)
class Answered:
    """What the model has answered, verbatim."""

    message: JsonValue


@dataclass(frozen=True)
class ToolOutput:
    """What came of a call, under the id that the model has given it."""

    call_id: str
    tool: str
    content: str
    is_error: bool = False


@dataclass(frozen=True)
class ToolOutputs:
    """What came of all calls of the answer before, and what is said with that."""

    outputs: Sequence[ToolOutput]
    said: Sequence[str] = ()


Item = Said | Answered | ToolOutputs


@dataclass(frozen=True)
class ToolCard:
    """A tool as a model reads it."""

    name: str
    description: str
    schema: JsonSchema


@dataclass(frozen=True)
class ModelRequest:
    """What a model is asked. The beginning of it stays the same from turn to turn."""

    system: str
    items: Sequence[Item]
    tools: Sequence[ToolCard]
    max_output: int
    """Tokens."""


@dataclass(frozen=True)
class ToolRequest:
    """A call that a model asks for; its arguments are text, as the model wrote it."""

    id: str
    tool: str
    arguments: str


@dataclass(frozen=True)
class Reply:
    """What a model has answered. `length`: it was cut off at the most tokens that it may write."""

    message: JsonValue
    text: str
    calls: Sequence[ToolRequest]
    reason: Literal["stop", "length", "refused"]
    usage: Usage
    model: str


class TooLong(Exception):  # a state of affairs, not an error: the planner shortens the request
    """The request is longer than the model can read."""


class ModelFault(SystemFault):
    """A request to a model that has failed.

    `retryable`: it may be made again, after `retry_after` where the provider says so. `has_cost`: the
    answer had begun, or may have, and the provider may charge for it.
    """

    has_cost = False


class Model(Protocol):
    """One model of one provider."""

    name: str
    """`<provider>:<name>`."""
    context: int
    """Tokens that it can read and write at once."""

    async def ask(self, request: ModelRequest, say: Say) -> Reply:
        """Make one request; `say` gets the text of the answer piece by piece.

        Raises TooLong, or ModelFault: `model_refused`, `model_unauthenticated`, `model_not_found`,
        `overloaded`, `upstream_failed`, `deadline_exceeded`.
        """

    def calls_of(self, message: JsonValue) -> Sequence[ToolRequest]:
        """Return the calls that an answer asks for, which this or another model has given before."""

    def price_of(self, usage: Usage) -> float | None:
        """Return what so many tokens cost in US dollars; None where no price is known."""
