"""Calls that a model has written as text, as small models do: they are noticed, and never made."""

import json
import re
from collections.abc import Collection

_BLOCK = re.compile(
    r"(?:```(?:json|tool_call)?|<tool_call>)\s*(\{.*?)\s*(?:```|</tool_call>)\s*\Z", re.DOTALL
)
"""At the end of an answer: what comes before it is what the model says to it."""
_OBJECT = re.compile(r"\s*(?:<tool_call>\s*)?\[?\s*(?=\{)")


def called_as_text(text: str, tools: Collection[str]) -> str | None:
    """Return the tool whose call an answer is, or ends with, as JSON; None where it does not."""
    start = _OBJECT.match(text)
    block = _BLOCK.search(text)
    written = text[start.end() :] if start else block.group(1) if block else None
    if written is None:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(written)
    except (ValueError, RecursionError):
        return None
    return _tool_of(value, tools)


def _tool_of(value: object, tools: Collection[str]) -> str | None:
    if not isinstance(value, dict):
        return None
    function = value.get("function")
    call = function if isinstance(function, dict) else value
    name = call.get("name")
    has_arguments = not {"arguments", "parameters", "input"}.isdisjoint(call)
    return name if isinstance(name, str) and name in tools and has_arguments else None
