"""Translates a conversation for the model library, and its answers back."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import JsonValue
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest as Sent,
    ModelResponse,
    ToolReturnPart,
    UserPromptPart,
)

from orchestrator.planners.llm.conversation import (
    Answered,
    Item,
    ModelRequest,
    Said,
    ToolOutputs,
)
from orchestrator.planners.llm.providers.surrogates import whole_json

FLAGGING = ("anthropic",)
"""Systems whose format has a flag for a tool output that is an error."""
_THEN = datetime.fromtimestamp(0, UTC)
"""When everything was said: no provider is told, and a request is the same for the same content."""
Part = UserPromptPart | ToolReturnPart


def to_messages(request: ModelRequest, *, flags_errors: bool) -> list[ModelMessage]:
    """Return the conversation; what stands between two answers becomes one message.

    `flags_errors`: the format has a flag for a call that failed. Elsewhere the library would wrap the
    words in JSON, with every line end escaped; they say themselves that they are an error.
    """
    messages: list[ModelMessage] = []
    parts: list[Part] = []
    for item in request.items:
        if isinstance(item, Answered):
            messages += _sent(parts, request.system)
            parts = []
            messages.append(to_response(item.message))
        else:
            parts.extend(_parts(item, flags_errors))
    return [*messages, *_sent(parts, request.system)]


def _sent(parts: Sequence[Part], system: str) -> Iterator[Sent]:
    if parts:
        yield Sent(parts=list(parts), instructions=system, timestamp=_THEN)


def _parts(item: Item, flags_errors: bool) -> Iterator[Part]:
    if isinstance(item, Said):
        yield UserPromptPart(content=item.text, timestamp=_THEN)
    elif isinstance(item, ToolOutputs):
        for output in item.outputs:
            yield ToolReturnPart(
                tool_name=output.tool,
                content=output.content,
                tool_call_id=output.call_id,
                outcome="failed" if output.is_error and flags_errors else "success",
                timestamp=_THEN,
            )
        yield from (UserPromptPart(content=text, timestamp=_THEN) for text in item.said)


def to_response(message: JsonValue) -> ModelResponse:
    """Return an answer as the library gave it: call ids, signatures and all."""
    [response] = ModelMessagesTypeAdapter.validate_python([message])
    if not isinstance(response, ModelResponse):
        raise TypeError("the stored message is no answer of a model")
    return response


def to_json(response: ModelResponse) -> JsonValue:
    """Return an answer to be stored, for `to_response` to read."""
    [message] = ModelMessagesTypeAdapter.dump_python([response], mode="json")
    return whole_json(message)
