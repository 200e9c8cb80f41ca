"""Does once, off the event loop, what the first request to a model would do on it."""

import asyncio
import json
import logging

from pydantic import JsonValue

from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.conversation import (
    Answered,
    ModelRequest,
    Said,
    ToolCard,
    ToolOutput,
    ToolOutputs,
)
from orchestrator.planners.llm.model import ProviderModel, open_model

REHEARSED = ("openai", "anthropic")
"""Providers whose address can be another, and whose libraries the extra `llm` brings."""
LOUD = ("openai", "anthropic", "httpx2", "httpcore2")
"""Libraries that log each request, some of them with its headers and contents."""
_OPENAI = (
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Well."}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}},
)
_USAGE = {"input_tokens": 1, "output_tokens": 1}
_MESSAGE = {"id": "1", "type": "message", "role": "assistant", "content": [], "usage": _USAGE}
_ANTHROPIC = (
    {"type": "message_start", "message": {**_MESSAGE, "model": "rehearsal"}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Well."}
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": _USAGE},
    {"type": "message_stop"},
)  # fmt: skip
_CALL: JsonValue = {
    "part_kind": "tool-call",
    "tool_name": "look",
    "args": "{}",
    "tool_call_id": "1",
}
_REQUEST = ModelRequest(
    system="This is a rehearsal.",
    items=[
        Said("Look."),
        Answered({"kind": "response", "parts": [_CALL]}),
        ToolOutputs([ToolOutput("1", "look", "Nothing.")]),
    ],
    tools=[ToolCard("look", "Looks.", {"type": "object", "properties": {}})],
    max_output=64,
)


def open_warm(name: str, config: ModelConfig) -> ProviderModel:
    """Open a model whose first request does not stall the event loop: takes seconds, in a thread.

    Raises UnusableModel.
    """
    _quieten()
    model = open_model(name, config)
    provider = name.partition(":")[0]
    if provider in REHEARSED:
        asyncio.run(_rehearse(provider))
    return model


def _quieten() -> None:
    for library in LOUD:
        logging.getLogger(library).setLevel(logging.WARNING)


async def _rehearse(provider: str) -> None:
    """Have one request answered by a server of our own on loopback.

    That imports what the libraries import late, and builds what they build once.
    """
    async with await asyncio.start_server(_answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        name = f"{provider}:rehearsal"
        model = open_model(name, ModelConfig(model=name, base_url=f"http://127.0.0.1:{port}"))
        try:
            await model.ask(_REQUEST, _say_nothing)
        finally:
            await model.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    events = _ANTHROPIC if b"/messages" in head.splitlines()[0] else _OPENAI
    lines = (f"event: {e.get('type', 'chunk')}\ndata: {json.dumps(e)}\n\n" for e in events)
    writer.write(b"HTTP/1.1 200 -\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    writer.write("".join(lines).encode())
    await writer.drain()
    writer.close()


async def _say_nothing(_text: str) -> None:
    return None
