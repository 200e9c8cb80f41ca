"""What a tool is: a typed function whose signature and docstring are its contract."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import ToolError, fields_of, told_of_fields
from common.tools import Effect, ToolSpec
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.workspace import Workspace


class Arguments(BaseModel):
    """Base of every tool's arguments: a misspelt one is an error.

    A line under each says what it is for: models choose by that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @property
    def measures_trees(self) -> bool:
        """Whether the call counts what lies in a directory, so that nothing may be added to it."""
        return False


class Output(BaseModel):
    """Base of every tool's output."""

    model_config = ConfigDict(frozen=True)


ToolFunction = Callable[[Any, Any], Output]
"""Takes its arguments and a Reader, or, when it changes something, a Workspace."""


@dataclass(frozen=True)
class Tool:
    """A function that the registry has found, with what it takes, returns and does."""

    function: ToolFunction
    arguments: type[Arguments]
    output: type[Output]
    effect: Effect

    @property
    def name(self) -> str:
        """Its function's name."""
        return self.function.__name__

    @cached_property
    def spec(self) -> ToolSpec:
        """What it says of itself, made when it is first asked for: schemas take a start's time."""
        return ToolSpec(
            name=self.name,
            description=inspect.getdoc(self.function) or "",
            effect=self.effect,
            arguments_schema=self.arguments.model_json_schema(),
            output_schema=self.output.model_json_schema(mode="serialization"),
        )

    def parse(self, arguments: dict[str, Any]) -> Arguments:
        """Return typed arguments; raise `invalid_arguments`, which never repeats the input."""
        try:
            return self.arguments.model_validate(arguments)
        except ValidationError as error:
            fields = fields_of(error)
        raise ToolError("invalid_arguments", told_of_fields(fields, "arguments"), fields=fields)

    def run(self, arguments: Arguments, view: Reader | Workspace) -> dict[str, Any]:
        """Return the tool's output as JSON has it; `view` is a reader where it only reads."""
        return self.function(arguments, view).model_dump(mode="json")


def tool(*, effect: Effect) -> Callable[[ToolFunction], Tool]:
    """Make a tool of a function `(arguments, reader) -> output`; its name becomes the tool's.

    One that does more than read takes a `workspace` instead; raises TypeError otherwise.
    """

    def decorate(function: ToolFunction) -> Tool:
        hints = get_type_hints(function)
        arguments, output = hints["arguments"], hints["return"]
        name, view = ("reader", Reader) if effect == "read" else ("workspace", Workspace)
        if hints.get(name) is not view:  # the signature has to show what the tool may do
            raise TypeError(
                f"{function.__name__}, effect '{effect}', has to take '{name}: {view.__name__}'"
            )
        return Tool(function, arguments, output, effect)

    return decorate
