"""Anthropic messages: a conversation read from a request, and an answer's frames."""

import json
from collections.abc import Iterator
from typing import Any

from tests.system.models.answers import Answer, Conversation
from tests.system.models.openai_shape import Frame, arguments_of, pieces, tokens

_FINISH = {"length": "max_tokens", "content_filter": "refusal", "tool_calls": "tool_use"}


def _text(content: Any) -> str:
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(block.get("text", "") for block in content)


def _blocks(message: dict[str, Any]) -> Iterator[tuple[str, str]]:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for block in blocks:
        if block["type"] == "tool_result":
            yield "result", _text(block.get("content"))
        elif block["type"] == "text":
            yield message["role"], block["text"]


def conversation(body: dict[str, Any]) -> Conversation:
    """Read a request."""
    parts = [part for message in body["messages"] for part in _blocks(message)]
    users = [index for index, (kind, _) in enumerate(parts) if kind == "user"]
    last = users[-1] if users else 0
    return Conversation(
        model=body["model"],
        system=_text(body.get("system")),
        said=[text for kind, text in parts if kind == "user"],
        results=[text for kind, text in parts if kind == "result"],
        results_since=sum(kind == "result" for kind, _ in parts[last:]),
        tools=[tool["name"] for tool in body.get("tools") or ()],
        body=body,
    )


def _finish(answer: Answer) -> str:
    kind = answer.finish or ("tool_calls" if answer.calls else "stop")
    return _FINISH.get(kind, "end_turn")


def _usage(answer: Answer, request: int) -> dict[str, Any]:
    read, written = tokens(answer, request)
    return {
        "input_tokens": read - answer.cached_tokens,  # here cached ones are counted apart
        "cache_read_input_tokens": answer.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": written,
    }


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _content(answer: Answer, number: int) -> Iterator[dict[str, Any]]:
    if answer.thinking:
        yield {"type": "thinking", "thinking": answer.thinking, "signature": f"sig-{number}"}
    if answer.text:
        yield {"type": "text", "text": answer.text}
    for index, call in enumerate(answer.calls):
        yield {
            "type": "tool_use",
            "id": call.id or f"toolu_{number}_{index}",
            "name": call.tool,
            "input": _arguments(arguments_of(call)),
        }


def document(answer: Answer, conversation: Conversation, number: int, size: int) -> dict[str, Any]:
    """Return the answer as one document."""
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": conversation.model,
        "content": list(_content(answer, number)),
        "stop_reason": _finish(answer),
        "stop_sequence": None,
        "usage": _usage(answer, size),
    }


def frames(answer: Answer, conversation: Conversation, number: int, size: int) -> Iterator[Frame]:
    """Yield the answer as a stream, each frame with the place that it stands at."""
    whole = document(answer, conversation, number, size)
    usage = whole["usage"]
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield "start", _event({"type": "message_start", "message": begun})
    raw = [arguments_of(call) for call in answer.calls]
    for index, block in enumerate(whole["content"]):
        yield from _block_frames(answer, index, block, raw)
        if block["type"] == "text" and answer.breaks_with is not None:
            break
    if answer.breaks_with is not None:
        failure = {"type": "overloaded_error", "message": answer.breaks_with}
        yield None, _event({"type": "error", "error": failure})
        return
    stopped = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "finish", _event({"type": "message_delta", "delta": stopped, "usage": usage})
    yield None, _event({"type": "message_stop"})


def _block_frames(
    answer: Answer, index: int, block: dict[str, Any], raw: list[str]
) -> Iterator[Frame]:
    kind = block["type"]
    empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}
    shell = {**block, **empty.get(kind, {"input": {}})}
    yield None, _event({"type": "content_block_start", "index": index, "content_block": shell})

    def delta(**fields: Any) -> bytes:
        return _event({"type": "content_block_delta", "index": index, "delta": fields})

    if kind == "text":
        for piece in pieces(block["text"], answer.pieces):
            yield "text", delta(type="text_delta", text=piece)
    elif kind == "thinking":
        yield None, delta(type="thinking_delta", thinking=block["thinking"])
        yield None, delta(type="signature_delta", signature=block["signature"])
    else:
        for piece in pieces(raw.pop(0), answer.pieces):
            yield "arguments", delta(type="input_json_delta", partial_json=piece)
    yield None, _event({"type": "content_block_stop", "index": index})


def _event(document: dict[str, Any]) -> bytes:
    return f"event: {document['type']}\ndata: {json.dumps(document)}\n\n".encode()


def error(answer: Answer, message: str) -> dict[str, Any]:
    """Return the body of an error."""
    return {
        "type": "error",
        "error": {"type": answer.kind or "invalid_request_error", "message": message},
    }
