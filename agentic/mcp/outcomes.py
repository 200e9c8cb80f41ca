"""What the orchestrator's door for MCP answers: a result, an error of the protocol, or a problem."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from mcp.shared.exceptions import MCPError
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCResponse

from agentic.api.answers import Answer, Stream, raise_for_error
from agentic.api.documents import Unreadable, read_document
from agentic.api.sse import parse
from agentic.api.transport import fault

Heard = Callable[[JSONRPCNotification], Awaitable[None]]
"""Takes what is told before the result."""
Said = JSONRPCResponse | JSONRPCError | JSONRPCNotification
_EVENTS = "text/event-stream"
_JSON = "application/json"


async def outcome_of(stream: Stream, heard: Heard) -> dict[str, Any]:
    """Return the result that an answer holds.

    Raises MCPError for an error of the protocol, the service's own AgenticError for a problem, and
    `upstream_failed` of the client's for whatever else has come.
    """
    kind = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stream.is_success and kind == _EVENTS:
        return await _streamed(stream, heard)
    answer = await stream.whole()
    if kind != _JSON:
        raise_for_error(answer)
        raise answer.unreadable("is not the orchestrator's")
    said = _read(answer)
    if isinstance(said, JSONRPCNotification):
        raise answer.unreadable("holds no result")
    return _result(said)


async def _streamed(stream: Stream, heard: Heard) -> dict[str, Any]:
    async for event in parse(stream.pieces):
        said = _read(Answer(stream.status, stream.headers, event.data.encode()))
        if not isinstance(said, JSONRPCNotification):
            return _result(said)
        await heard(said)
    raise fault("upstream_failed", "The answer broke off before its end")


def _read(answer: Answer) -> Said:
    try:
        said: Said = read_document(answer.content, cast("Any", Said))
    except Unreadable as error:
        raise answer.unreadable(str(error)) from error
    return said


def _result(said: JSONRPCResponse | JSONRPCError) -> dict[str, Any]:
    if isinstance(said, JSONRPCError):
        raise MCPError.from_jsonrpc_error(said)
    return said.result
