"""What a planner is: given what has happened, it says what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from common.errors import ToolError
from common.plans import OnError, Plan
from common.runs import PlannerSpec, RunCreate, Step
from common.tools import Tools


@dataclass(frozen=True)
class Call:
    """A tool call to make. One with a `refusal` fails for that reason without being made."""

    name: str
    tool: str
    arguments: dict[str, JsonValue]
    on_error: OnError = "stop"
    refusal: ToolError | None = None


@dataclass(frozen=True)
class CallTools:
    """Make these calls, in order."""

    calls: Sequence[Call]


@dataclass(frozen=True)
class Finish:
    """The goal is reached; the answer says what came of it."""

    answer: str


Decision = CallTools | Finish


@dataclass(frozen=True)
class History:
    """What a run is to do, and the steps it has made, with their outputs."""

    goal: str | None
    plan: Plan | None
    steps: Sequence[Step]


class Planner(Protocol):
    """Keeps nothing between two calls, so that any replica can go on with a run.

    `next` may raise a ToolError, which ends the run as failed.
    """

    spec: PlannerSpec

    def check(self, asked: RunCreate, tools: Tools, /) -> None:
        """Raise ClientError (`goal_not_understood`, `invalid_plan`) for what cannot be done."""

    async def next(self, history: History) -> Decision:
        """Return what to do next."""
