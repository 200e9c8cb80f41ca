"""A client's plan and a planner's turns: named tool calls in order, and what is said between them."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from common.errors import Problem
from common.models import Items, Lenient, Strict, UtcTime
from common.tools import Effect, ToolName

StepName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
OnError = Literal["stop", "continue"]
MAX_STEPS = 1000


class PlanStep(Strict):
    """One call to come. A value in `arguments` may be `{"$from": …}` or `{"$join": […]}`."""

    name: StepName
    tool: ToolName
    arguments: dict[str, JsonValue] = {}
    on_error: OnError = "stop"


class Plan(Strict):
    """What a run will do, step by step; arguments may refer to what earlier steps gave."""

    steps: Annotated[list[PlanStep], Field(min_length=1, max_length=MAX_STEPS)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [step.name for step in self.steps]
        if len(set(names)) < len(names):
            raise ValueError("step names must be unique")
        return self


class Usage(Lenient):
    """What a model's answer cost: tokens, and money in US dollars where its price is known."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None


class Message(Lenient):
    """What a person has sent to a run."""

    text: str
    is_answer: bool = False
    """Whether the run was waiting for it: it answers the question of the last turn."""


class TurnCall(Lenient):
    """A call that a turn asks for, under the number that its step is going to have."""

    n: int
    name: str
    tool: str
    arguments: dict[str, JsonValue]
    on_error: OnError = "stop"
    effect: Effect = "write"
    """Consecutive reads are made side by side; a change waits for what stands before it."""
    has_references: bool = False
    """Whether `{"$from": …}` and `{"$join": […]}` in the arguments are replaced before the call."""
    error: Problem | None = None
    """Why this call is not made: its step fails with it."""


class Turn(Lenient):
    """One decision of a planner, stored before anything of it is done.

    Calls, an answer that ends the run, a question to a person (its calls go first), feedback that a
    model is to think about, or a compaction: what the model is shown of the turns up to `covers`.
    """

    t: int
    """Counts from 1 within the run."""
    calls: Items[TurnCall] = []
    answer: str | None = None
    question: str | None = None
    feedback: str | None = None
    """What is wrong with the model's answer, as it is told."""
    covers: int | None = None
    """The last turn that this compaction is about: the tool outputs up to it are left out."""
    summary: str | None = None
    """What stands for all up to `covers`."""
    messages: Items[Message] = []
    """What people had sent since the turn before; the planner has seen it."""
    workspace_instructions: str | None = None
    """AGENTS.md as it was before the run's first turn, which keeps it."""
    text: str | None = None
    """What the model has said beside its calls."""
    usage: Usage | None = None
    model: str | None = None
    decided_at: UtcTime
