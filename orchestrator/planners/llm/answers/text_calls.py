"""Calls that a model has written as text, as small models do: they are noticed, and never made."""

import json
import re
from collections.abc import Collection

_BLOCKS = (("<tool_call>", "</tool_call>"), ("```", "```"))
_NAMED = re.compile(r"`*(\w+)(?:\([^()]*\)|\s*\{.*\})`*", re.DOTALL)
"""A tool's name and its arguments, in whatever notation: `read_file(path="a")`, `read_file {path: a}`."""


def called_as_text(text: str, tools: Collection[str]) -> str | None:
    """Return the tool whose call an answer is, or ends with as JSON; None where it does not."""
    named = _NAMED.fullmatch(text.strip())
    if named is not None and named[1] in tools:
        return named[1]
    written = _last_block(text.strip()).removeprefix("<tool_call>").lstrip("[ \n")
    try:
        value, _ = json.JSONDecoder().raw_decode(written)
    except (ValueError, RecursionError):
        return None
    return _tool_of(value, tools)


def _last_block(text: str) -> str:
    for opening, closing in _BLOCKS:
        _, found, written = text.removesuffix(closing).rpartition(opening)
        if found and text.endswith(closing):
            return written.removeprefix("json").removeprefix("tool_call").lstrip()
    return text


def _tool_of(value: object, tools: Collection[str]) -> str | None:
    if not isinstance(value, dict):
        return None
    function = value.get("function")
    call = function if isinstance(function, dict) else value
    name = call.get("name")
    has_arguments = not {"arguments", "parameters", "input"}.isdisjoint(call)
    return name if isinstance(name, str) and name in tools and has_arguments else None
