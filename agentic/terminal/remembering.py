"""The rule that "all like this" stands for: the tool, and where it may do it without asking."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from common.approvals.reviews import PlannedCall, Remember
from common.errors import ToolError
from common.files.paths import Parts, parse, show
from common.tools import TOUCHES, ToolSpec

_WILD = re.compile(rb"[*?\[]")


def rule_for(call: PlannedCall, spec: ToolSpec | None) -> Remember | None:
    """Return the rule of a call's tool and its place: a top directory, or a name.

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
    return Remember(tool=call.tool, path=_glob(touched))


def in_words(remember: Remember) -> str:
    """Return what a rule allows, as a person is told before it is remembered."""
    where = "anything" if remember.path is None else f"'{remember.path}'"
    if remember.path is not None and "/" not in remember.path:
        where = f"{where}, in any directory"
    return f"{remember.tool} on {where}"


def _glob(touched: set[Parts]) -> str:
    """Return the glob of what lies in one top directory; of a file beside those its name."""
    [top] = {parts[0] for parts in touched}
    name = show(_WILD.sub(lambda wild: b"[" + wild[0] + b"]", top))
    return name if any(len(parts) == 1 for parts in touched) else f"{name}/*"


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
