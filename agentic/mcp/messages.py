"""The messages on the wire: what comes is checked, and each request is answered, also at the end.

The library reads what it likes, says nothing to what is no message to it, and drops at the end of its input
whatever it is at.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from agentic.mcp.under_way import UnderWay
from agentic.mcp.wire import Wire
from common.documents import strict_json
from common.documents.jsonrpc import require_message
from common.errors import ClientError

LAST = 1.0
"""Seconds in which those who have asked are told that a signal ends the program."""
Coming = MemoryObjectSendStream[SessionMessage | Exception]
Going = MemoryObjectReceiveStream[SessionMessage]
Serve = Callable[[Any, Any], Awaitable[None]]
"""Serves on a stream of messages that come and one of those that go, and closes both."""


class Messages:
    """What a client and the library say to each other over a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._turns = asyncio.Lock()  # a line is written as a whole
        self._under_way = UnderWay()

    async def serve(self, serve: Serve) -> None:
        """Serve until the input ends, or the wire breaks: UnreadError, OutputError or OSError.

        When this is cancelled the library is told that its input has ended, and tells whoever waits:
        broken off at any point, it would end in errors of its own streams.
        """
        coming, reading = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        writing, going = anyio.create_memory_object_stream[SessionMessage](0)
        doing = [
            asyncio.ensure_future(work)
            for work in (self._read(coming), serve(reading, writing), self._write(going))
        ]
        try:
            ended, _ = await asyncio.wait(doing, return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError:
            doing[0].cancel()
            await asyncio.wait(doing, timeout=LAST)
            raise
        finally:
            for one in doing:
                one.cancel()
            await asyncio.gather(*doing, return_exceptions=True)
        if self._wire.fault is not None:
            raise self._wire.fault
        for one in ended:
            one.result()  # raises what it has ended with

    async def _read(self, coming: Coming) -> None:
        """Hand over what comes, until it ends and all that was asked is answered."""
        async with coming:
            async for line in self._wire:
                if not line.isspace():
                    await self._take(line, coming)
            if self._wire.fault is None:
                await self._under_way.answered()

    async def _take(self, line: bytes, coming: Coming) -> None:
        said: Any = None
        try:
            said = strict_json.loads(line, "The line")
            message = _message(said)
            self._under_way.come(message)
        except ClientError as refusal:
            if not _is_answer(said):  # nobody waits for an answer to an answer
                with suppress(anyio.ClosedResourceError):
                    await self._put(_refused(refusal, self._under_way.free_id(said)))
        else:
            await coming.send(SessionMessage(message))

    async def _write(self, going: Going) -> None:
        with suppress(anyio.ClosedResourceError):
            async with going:
                async for said in going:
                    self._under_way.goes(said)
                    await self._put(said.message)
                    self._under_way.gone()
                # the library loses some of those that are broken off
                for request_id in self._under_way.left():
                    await self._put(_broken_off(request_id))

    async def _put(self, message: JSONRPCMessage) -> None:
        text = message.model_dump_json(by_alias=True, exclude_unset=True)
        async with self._turns:
            try:
                await self._wire.write(f"{text}\n")
            except anyio.ClosedResourceError:
                self._under_way.give_up()
                raise


def _broken_off(request_id: RequestId) -> JSONRPCError:
    error = ErrorData(code=CONNECTION_CLOSED, message="Connection closed")
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=error)


def _is_answer(said: Any) -> bool:
    return isinstance(said, dict) and "method" not in said and ("result" in said or "error" in said)


def _message(said: Any) -> JSONRPCMessage:
    require_message(said, "The line")
    try:
        return jsonrpc_message_adapter.validate_python(said, by_name=False)
    except ValidationError as error:
        raise ClientError("invalid_request", "The line is no message of MCP") from error


def _refused(refusal: ClientError, request_id: RequestId | None) -> JSONRPCError:
    problem = refusal.problem("client", None).model_dump(mode="json")
    code = PARSE_ERROR if refusal.code == "malformed_request" else INVALID_REQUEST
    error = ErrorData(code=code, message=f"{refusal.code}: {refusal.detail}", data=problem)
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=error)
