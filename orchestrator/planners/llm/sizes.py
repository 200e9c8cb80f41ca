"""How long a request to a model is, in characters: tokens are only known to who reads it."""

import json

from pydantic import JsonValue

from orchestrator.planners.llm.conversation import Answered, Item, ModelRequest, Said


def size_of(request: ModelRequest) -> int:
    """Return the characters of a request: instructions, conversation and tools."""
    tools = sum(
        len(tool.name) + len(tool.description) + len(json.dumps(tool.schema))
        for tool in request.tools
    )
    return len(request.system) + tools + sum(_size(item) for item in request.items)


def _size(item: Item) -> int:
    if isinstance(item, Said):
        return len(item.text)
    if isinstance(item, Answered):
        return _answer_size(item.message)
    said = sum(len(text) for text in item.said)
    return said + sum(len(output.content) for output in item.outputs)


def _answer_size(message: JsonValue) -> int:
    """Count what goes back to the model, not what is stored beside it: text and arguments."""
    parts = message.get("parts") if isinstance(message, dict) else None
    texts = [
        part.get(key)
        for part in (parts if isinstance(parts, list) else ())
        if isinstance(part, dict)
        for key in ("content", "tool_name", "args")
    ]
    return sum(len(text if isinstance(text, str) else json.dumps(text)) for text in texts if text)
