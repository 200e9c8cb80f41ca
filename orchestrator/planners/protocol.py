"""What a planner is: given what has happened, it says what to do next."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from common.plans import Message, Plan, Turn, Usage
from common.runs import PlannerSpec, RunCreate, Step
from common.tools import JsonSchema, Receipt, Tools
from orchestrator.planners.decisions import Decision


@dataclass(frozen=True)
class PastTurn:
    """A turn that was stored, with the model's message where a model decided."""

    turn: Turn
    message: JsonValue = None


@dataclass(frozen=True)
class EarlierRun:
    """A run that ended before in the same session: what was asked, what was said, what changed."""

    id: str
    goal: str | None
    status: str
    answer: str | None
    changes: Sequence[Receipt] = ()


@dataclass(frozen=True)
class Left:
    """What is left of a run's budget; None: no bound."""

    steps: int | None = None
    seconds: float | None = None
    tokens: int | None = None
    cost: float | None = None


@dataclass(frozen=True)
class Wishes:
    """What a run asks of a model, beside its goal."""

    model: str | None = None
    instructions: str | None = None
    workspace_instructions: str | None = None
    """The workspace's AGENTS.md, as it was before the run's first turn."""
    tools: Sequence[str] | None = None
    output_schema: JsonSchema | None = None


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
    messages: Sequence[Message] = ()
    left: Left = field(default_factory=Left)
    wishes: Wishes = field(default_factory=Wishes)


class Speech:
    """What a planner says while it decides; this one says it to nobody."""

    async def say(self, text: str) -> None:
        """Show a further piece of it."""

    async def begin_again(self) -> None:
        """Take back what was said: the answer broke off, and is asked for again."""


class Purse:
    """What a run may spend on a model; this one is not counted.

    Everything is reserved before a request. An answer that becomes a decision settles its request when
    that is stored; of other requests `settle` says what they took. What was reserved for an answer
    that was lost stays charged: that is what a further `reserve` without a `settle` means.
    """

    async def reserve(self, tokens: int, cost: float | None) -> None:
        """Raise `budget_exceeded` when the run has not as much left; `cost` in US dollars."""

    async def settle(self, usage: Usage) -> None:
        """Say what the request took that was reserved for: nothing where it was refused."""


async def _no_earlier_runs(_limit: int) -> Sequence[EarlierRun]:
    return ()


@dataclass(frozen=True)
class Surroundings:
    """What a planner may use while it decides.

    `earlier_runs` reads what the session's last runs came to, the oldest first.
    """

    tools: Tools = field(default_factory=dict)
    speech: Speech = field(default_factory=Speech)
    purse: Purse = field(default_factory=Purse)
    earlier_runs: Callable[[int], Awaitable[Sequence[EarlierRun]]] = _no_earlier_runs


class Planner(Protocol):
    """Keeps nothing between two decisions, so that any replica can go on with a run.

    A decision is stored before anything of it is done, and `next` is asked again only when nothing
    of the last one is left. It may raise a ToolError, which ends the run as failed.
    """

    spec: PlannerSpec
    checks_tools: bool
    """Whether `check` looks at the tools: without it, a run starts while nobody can tell them."""
    converses: bool
    """Whether people may send it messages while it works; AGENTS.md is read for it, too."""

    def check(self, asked: RunCreate, tools: Tools, /) -> None:
        """Raise ClientError (`goal_not_understood`, `invalid_plan`) for what cannot be done."""

    async def next(self, history: History, around: Surroundings, /) -> Decision:
        """Return what to do next."""
