"""Reads the calls out of a stored answer of a model."""

import json
from collections.abc import Sequence

from pydantic import JsonValue

from orchestrator.planners.llm.conversation import ToolRequest


def calls_of(message: JsonValue) -> Sequence[ToolRequest]:
    """Return the calls that an answer asks for, in order; whichever model has given it."""
    parts = message.get("parts") if isinstance(message, dict) else None
    if not isinstance(parts, list):
        return ()
    return tuple(
        ToolRequest(str(part["tool_call_id"]), str(part["tool_name"]), _text(part.get("args")))
        for part in parts
        if isinstance(part, dict) and part.get("part_kind") == "tool-call"
    )


def _text(arguments: JsonValue) -> str:
    """Some providers write no arguments as nothing at all."""
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return "{}"
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
