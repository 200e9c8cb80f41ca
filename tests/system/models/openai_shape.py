"""OpenAI chat completions: a conversation read from a request, and an answer's frames."""

import json
from collections.abc import Iterator
from typing import Any

from tests.system.models.answers import Answer, Conversation, Place, Wanted

Frame = tuple[Place | None, bytes]


def _text(content: Any) -> str:
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(part.get("text", "") for part in content)


def conversation(body: dict[str, Any]) -> Conversation:
    """Read a request."""
    messages = [(m["role"], _text(m.get("content"))) for m in body["messages"]]
    users = [index for index, (role, _) in enumerate(messages) if role == "user"]
    last = users[-1] if users else 0
    return Conversation(
        model=body["model"],
        system="\n".join(text for role, text in messages if role in ("system", "developer")),
        said=[text for role, text in messages if role == "user"],
        results=[text for role, text in messages if role == "tool"],
        results_since=sum(role == "tool" for role, _ in messages[last:]),
        tools=[tool["function"]["name"] for tool in body.get("tools") or ()],
        body=body,
    )


def pieces(text: str, count: int) -> list[str]:
    """Cut a text into about so many pieces, none of them empty."""
    size = max(1, -(-len(text) // max(count, 1)))
    return [text[at : at + size] for at in range(0, len(text), size)]


def arguments_of(call: Wanted) -> str:
    """Return the arguments as text."""
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)


def tokens(answer: Answer, request: int) -> tuple[int, int]:
    """Return what the answer says it took: tokens read and written."""
    written = len(answer.text) + sum(len(arguments_of(call)) for call in answer.calls)
    read = request // 4 if answer.input_tokens is None else answer.input_tokens
    return read, written // 4 + 1 if answer.output_tokens is None else answer.output_tokens


def _usage(answer: Answer, request: int) -> dict[str, Any]:
    read, written = tokens(answer, request)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
    }


def _finish(answer: Answer) -> str:
    return answer.finish or ("tool_calls" if answer.calls else "stop")


def _head(conversation: Conversation, number: int, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": 1, "model": conversation.model}


def _function(call: Wanted, number: int, index: int, arguments: str) -> dict[str, Any]:
    return {
        "id": call.id or f"call_{number}_{index}",
        "type": "function",
        "function": {"name": call.tool, "arguments": arguments},
    }


def document(answer: Answer, conversation: Conversation, number: int, size: int) -> dict[str, Any]:
    """Return the answer as one document."""
    functions = [_function(c, number, i, arguments_of(c)) for i, c in enumerate(answer.calls)]
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if functions:
        message["tool_calls"] = functions
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer)}
    usage = {"usage": _usage(answer, size)} if answer.has_usage else {}
    return {**_head(conversation, number, "chat.completion"), "choices": [choice], **usage}


def frames(answer: Answer, conversation: Conversation, number: int, size: int) -> Iterator[Frame]:
    """Yield the answer as a stream, each frame with the place that it stands at."""
    head = _head(conversation, number, "chat.completion.chunk")
    for place, delta in _deltas(answer, number):
        yield place, _chunk(head, delta)
    if answer.breaks_with is not None:
        yield None, _event({"error": {"message": answer.breaks_with, "type": "server_error"}})
        return
    yield "finish", _chunk(head, {}, _finish(answer))
    options = conversation.body.get("stream_options") or {}
    if answer.has_usage and options.get("include_usage"):
        yield None, _event({**head, "choices": [], "usage": _usage(answer, size)})
    yield None, b"data: [DONE]\n\n"


def _deltas(answer: Answer, number: int) -> Iterator[tuple[Place | None, dict[str, Any]]]:
    yield "start", {"role": "assistant", "content": ""}
    for piece in pieces(answer.thinking, answer.pieces):
        yield None, {"reasoning_content": piece}
    for piece in pieces(answer.text, answer.pieces):
        yield "text", {"content": piece}
    for index, call in enumerate(answer.calls if answer.breaks_with is None else ()):
        first = {"index": index, **_function(call, number, index, "")}
        yield None, {"tool_calls": [first]}
        for piece in pieces(arguments_of(call), answer.pieces):
            more = {"index": index, "function": {"arguments": piece}}
            yield "arguments", {"tool_calls": [more]}


def _chunk(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _event({**head, "choices": [choice]})


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def error(answer: Answer, message: str) -> dict[str, Any]:
    """Return the body of an error."""
    return {"error": {"message": message, "type": answer.kind, "code": answer.code, "param": None}}
