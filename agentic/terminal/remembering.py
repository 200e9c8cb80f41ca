"""The rule that "all like this" stands for: the tool, and where it may do it without asking."""

from collections.abc import Iterator, Mapping
from typing import Any

from common.approvals.reviews import PlannedCall, Remember
from common.approvals.rules import glob_of
from common.errors import ToolError
from common.files.paths import Parts, parse, show_path
from common.tools import TOUCHES, ToolSpec


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


def in_words(remember: Remember) -> str:
    """Return what a rule allows, as a person is told before it is remembered."""
    where = "anything" if remember.path is None else f"'{remember.path}'"
    return f"{remember.tool} on {where}"


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
