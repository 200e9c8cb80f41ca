"""What a planner is: given what has happened, it says what to do next."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from common.plans import OnError, Plan, Turn, Usage
from common.runs import PlannerSpec, RunCreate, Step
from common.tools import Tools


@dataclass(frozen=True)
class Call:
    """A tool call to make; its arguments may hold references to earlier steps if it says so."""

    name: str
    tool: str
    arguments: dict[str, JsonValue]
    on_error: OnError = "stop"
    has_references: bool = False


@dataclass(frozen=True)
class ModelAnswer:
    """What a model has answered, verbatim, for the planner to send back to it; and what it cost."""

    message: JsonValue
    model: str
    usage: Usage


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
    """Only a person can say how to go on: the run waits for the answer."""

    question: str
    answered: ModelAnswer | None = None


Decision = CallTools | Finish | Ask


@dataclass(frozen=True)
class PastTurn:
    """A turn that was stored, with the model's message where a model decided."""

    turn: Turn
    message: JsonValue = None


@dataclass(frozen=True)
class EarlierRun:
    """A run that ended before in the same session: what was asked, and what was said."""

    id: str
    goal: str | None
    status: str
    answer: str | None


@dataclass(frozen=True)
class Left:
    """What is left of a run's budget; None: no bound."""

    steps: int | None = None
    seconds: float | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class History:
    """What a run is to do, and what it has done.

    `steps` are those with an outcome, in order, with their outputs; `messages` are what people have
    sent since the last turn; `left` is what is left of the run's budget.
    """

    goal: str | None
    plan: Plan | None
    steps: Sequence[Step]
    turns: Sequence[PastTurn] = ()
    messages: Sequence[str] = ()
    left: Left = field(default_factory=Left)


async def _say_nothing(_text: str) -> None:
    """Stand in for an emitter where nobody listens."""


async def _no_earlier_runs(_limit: int) -> Sequence[EarlierRun]:
    return ()


@dataclass(frozen=True)
class Surroundings:
    """What a planner may use while it decides.

    `say` shows a piece of text while it is being made; `earlier_runs` reads what the session's last
    runs came to, the oldest first.
    """

    tools: Tools = field(default_factory=dict)
    say: Callable[[str], Awaitable[None]] = _say_nothing
    earlier_runs: Callable[[int], Awaitable[Sequence[EarlierRun]]] = _no_earlier_runs


class Planner(Protocol):
    """Keeps nothing between two decisions, so that any replica can go on with a run.

    A decision is stored before anything of it is done, and `next` is asked again only when nothing
    of the last one is left. It may raise a ToolError, which ends the run as failed.
    """

    spec: PlannerSpec
    checks_tools: bool
    """Whether `check` looks at the tools: without it, a run starts while nobody can tell them."""

    def check(self, asked: RunCreate, tools: Tools, /) -> None:
        """Raise ClientError (`goal_not_understood`, `invalid_plan`) for what cannot be done."""

    async def next(self, history: History, around: Surroundings, /) -> Decision:
        """Return what to do next."""
