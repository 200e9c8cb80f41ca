"""The tools as a model reads them, and the calls that it makes of them."""

from collections import deque
from collections.abc import Sequence

from pydantic import JsonValue

from common.errors import FieldError, ToolError
from common.tools import MAX_NAME, Tools, ToolSpec, did_you_mean
from orchestrator.planners.argument_check import ArgumentCheck
from orchestrator.planners.llm.arguments import MAX_FIELDS, fitted, refused, told_arguments
from orchestrator.planners.llm.conversation import ToolCard, ToolRequest
from orchestrator.planners.llm.invented import MEANT
from orchestrator.planners.llm.schema import for_model

ASK_USER = "ask_user"
_ASK_USER = ToolSpec(
    name=ASK_USER,
    description="Ask the person who gave you the task, and wait for the answer."
    " Use it only when you can't go on without it.",
    effect="read",
    arguments_schema={
        "type": "object",
        "properties": {
            "question": {
                "type": "string",
                "description": "One question, with what it takes to answer it.",
                "minLength": 1,
            }
        },
        "required": ["question"],
        "additionalProperties": False,
    },
    output_schema={},
)


def cards(tools: Tools, wanted: Sequence[str] | None) -> Sequence[ToolCard]:
    """Return the tools that a run may use, by name, and `ask_user` at the end.

    `wanted`: those that the run has asked for; None: all. The same for the same tools, so that the
    beginning of a request stays the same.
    """
    return _box_of(tools).cards(wanted)


def checked(
    request: ToolRequest, tools: Tools, wanted: Sequence[str] | None
) -> tuple[dict[str, JsonValue], ToolError | None]:
    """Return the arguments of a call, and why it is not to be made, if so.

    `tool_not_found`, or `invalid_arguments` with the fields. What can only mean one thing is taken
    for that (`fitted`). All of it are literals: `{"$from": …}` refers to nothing.
    """
    return _box_of(tools).checked(request, wanted)


class _Box:
    """The tools of one catalogue and `ask_user`, made ready once."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self._all = {**{name: tools[name] for name in sorted(tools)}, ASK_USER: _ASK_USER}
        self._check = ArgumentCheck(self._all)
        self._cards = {name: _card(spec) for name, spec in self._all.items()}
        self._shapes = {
            name: for_model(spec.arguments_schema, is_whole=True)
            for name, spec in self._all.items()
        }

    def cards(self, wanted: Sequence[str] | None) -> Sequence[ToolCard]:
        return [self._cards[name] for name in self._usable(wanted)]

    def checked(
        self, request: ToolRequest, wanted: Sequence[str] | None
    ) -> tuple[dict[str, JsonValue], ToolError | None]:
        usable = self._usable(wanted)
        if request.tool not in usable:
            return {}, _not_found(request.tool, usable, is_there=request.tool in self._all)
        try:
            arguments = fitted(request.arguments, self._shapes[request.tool])
        except ToolError as error:
            error.add_context(tool=request.tool)
            return {}, error
        # jsonschema tells what is missing once for each
        fields = list(dict.fromkeys(map(_pair, self._check.errors(request.tool, arguments, ()))))
        if not fields:
            return arguments, None
        named = [FieldError(field=field, message=message) for field, message in fields[:MAX_FIELDS]]
        return arguments, refused(request.tool, named, self._told(request.tool))

    def _told(self, tool: str) -> str:
        return told_arguments(tool, self._cards[tool].schema)

    def _usable(self, wanted: Sequence[str] | None) -> list[str]:
        return [n for n in self._all if wanted is None or n in wanted or n == ASK_USER]


_boxes: deque[_Box] = deque(maxlen=2)
"""The newest catalogues': every turn of every run asks."""


def _box_of(tools: Tools) -> _Box:
    for box in list(_boxes):
        if box.tools is tools:
            return box
    box = _Box(tools)
    _boxes.append(box)
    return box


def _card(spec: ToolSpec) -> ToolCard:
    return ToolCard(spec.name, " ".join(spec.description.split()), for_model(spec.arguments_schema))


def _pair(error: FieldError) -> tuple[str, str]:
    return error.field, error.message


def _not_found(name: str, usable: Sequence[str], *, is_there: bool) -> ToolError:
    shown, there = name[:MAX_NAME], ", ".join(usable)
    if is_there:
        detail, hint = f"This run may not use '{shown}'", f"It may use {there}."
    else:
        detail, hint = f"There is no tool '{shown}'", _meant(name, usable) or f"There are {there}."
    return ToolError("tool_not_found", detail, hint=hint, tool=shown)


def _meant(name: str, usable: Sequence[str]) -> str | None:
    name = name.rpartition(".")[2].lower()  # some models put a namespace before it
    meant = [tool for tool in MEANT.get(name, ()) if tool in usable]
    return f"Use {' or '.join(meant)}." if meant else did_you_mean(name, usable)
