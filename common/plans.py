"""A plan: named tool calls in order, whose arguments may refer to what earlier ones gave."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from common.models import Strict
from common.tools import ToolName

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
    """What a run will do, step by step."""

    steps: Annotated[list[PlanStep], Field(min_length=1, max_length=MAX_STEPS)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [step.name for step in self.steps]
        if len(set(names)) < len(names):
            raise ValueError("step names must be unique")
        return self
