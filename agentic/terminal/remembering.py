"""The rule that "all like this" stands for: the tool, and where it may do it without asking."""

from collections.abc import Iterator, Mapping
from typing import Any

from agentic.api.client import AgenticClient
from common.approvals.reviews import PlannedCall, Remember
from common.approvals.rules import glob_of
from common.errors import ToolError
from common.files.paths import Parts, parse, show_path
from common.tools import TOUCHES, ToolSpec


class Rulebook:
    """The rules that calls stand for; the tools are read once."""

    def __init__(self, client: AgenticClient) -> None:
        self._client = client
        self._tools: dict[str, ToolSpec] | None = None

    async def rule_for(self, call: PlannedCall) -> Remember | None:
        """Return the rule of a call, as below."""
        if self._tools is None:
            self._tools = {tool.name: tool for tool in await self._client.tools()}
        return rule_for(call, self._tools.get(call.tool))


def rule_for(call: PlannedCall, spec: ToolSpec | None) -> Remember | None:
    """Return the rule of a call's tool and its place: the top directory, or file, that it is in.

    None where no one place holds all that it touches, or nobody knows yet what that is.
    """
    try:
        touched = None if spec is None else set(_touched(call, spec))
    except ToolError:  # a path that is none: the call is not going to be made either
        return None
    if not touched:
        return None
    tops = {parts[:1] for parts in touched}
    if () in tops:  # of the whole workspace only what changes nothing
        return Remember(tool=call.tool) if call.effect == "read" else None
    if len(tops) > 1:
        return None
    [top] = tops
    return Remember(tool=call.tool, path=glob_of(show_path(top)))


def in_words(remember: Remember, call: PlannedCall) -> str:
    """Return what the rule of a call allows, as a person is told before it is remembered."""
    if remember.path is None:
        return f"{remember.tool} on anything"
    path = remember.path.removesuffix("/**") if _is_of_one_file(call) else remember.path
    return f"{remember.tool} on '{path}'"


def _is_of_one_file(call: PlannedCall) -> bool:
    """Tell whether a call is known to be about a file beside the top directories: nothing is in it."""
    receipts = [] if call.preview is None else call.preview.receipts
    return bool(receipts) and all(
        len(parse(one.path)) == 1 and (one.sha256_before or one.sha256_after) for one in receipts
    )


def _touched(call: PlannedCall, spec: ToolSpec) -> Iterator[Parts]:
    """Yield the paths of a call's arguments, and those that it is known to change."""
    properties: Mapping[str, Any] = spec.arguments_schema.get("properties", {})
    for name, schema in properties.items():
        if isinstance(schema, dict) and schema.get(TOUCHES) in ("path", "tree"):
            value = call.arguments.get(name, schema.get("default"))
            given = value if isinstance(value, list) else [value]
            yield from (parse(path) for path in given if isinstance(path, str))
    for receipt in [] if call.preview is None else call.preview.receipts:
        if not receipt.makes_directory:
            yield parse(receipt.path)
