"""The messages on the wire: what comes is checked, and each request is answered, also at the end.

The library reads what it likes, says nothing to what is no message to it, and drops at the end of its input
whatever it is at.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from agentic.mcp.wire import Wire
from common.documents import strict_json
from common.documents.jsonrpc import is_id, require_message
from common.errors import ClientError

LAST = 1.0
"""Seconds to write what is on its way when a signal ends the program."""
_CANCELLED = "notifications/cancelled"
Coming = MemoryObjectSendStream[SessionMessage | Exception]
Going = MemoryObjectReceiveStream[SessionMessage]


class Messages:
    """What a client and the library say to each other over a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._turns = asyncio.Lock()  # a line is written as a whole
        self._under_way = _UnderWay()

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[tuple[Any, Any]]:
        """Yield the streams of messages that the library serves on.

        Raises UnreadError, OutputError or OSError once the wire is broken.
        """
        coming, reading = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        writing, going = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as group:
            group.start_soon(self._read, coming)
            # it goes on when all else is cancelled: whoever asked is told of that, too
            last = anyio.CancelScope(shield=True)
            group.start_soon(self._write, going, last)
            try:
                yield reading, writing
            except BaseException:
                last.deadline = anyio.current_time() + LAST
                raise
            last.shield = False
        if self._wire.fault is not None:
            raise self._wire.fault

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
            with suppress(anyio.ClosedResourceError):
                await self._put(_refused(refusal, self._under_way.free_id(said)))
        else:
            await coming.send(SessionMessage(message))

    async def _write(self, going: Going, scope: anyio.CancelScope) -> None:
        with scope, suppress(anyio.ClosedResourceError):
            async with going:
                async for said in going:
                    self._under_way.goes(said.message)
                    await self._put(said.message)
                    self._under_way.gone(said.message)

    async def _put(self, message: JSONRPCMessage) -> None:
        text = message.model_dump_json(by_alias=True, exclude_unset=True)
        async with self._turns:
            try:
                await self._wire.write(f"{text}\n")
            except anyio.ClosedResourceError:
                self._under_way.give_up()
                raise


class _UnderWay:
    """Which requests have no answer yet."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        """Those of the client; the library takes 1 and "1" for the same."""
        self._asking: set[str] = set()
        """Those to the client, each for one of its own."""
        self._is_answered = asyncio.Event()

    def come(self, message: JSONRPCMessage) -> None:
        """Note what has come; raise `invalid_request` for a second request of an id."""
        if isinstance(message, JSONRPCRequest):
            if str(message.id) in self._asked:
                raise ClientError(
                    "invalid_request",
                    f"The request with the id {message.id!r} has no answer yet",
                    hint="Give each request an id of its own.",
                )
            self._asked.add(str(message.id))
        elif not isinstance(message, JSONRPCNotification):
            self._asking.discard(str(message.id))
        elif message.method == _CANCELLED:  # it may stay without an answer
            self._asked.discard(str((message.params or {}).get("requestId")))

    def free_id(self, said: Any) -> str | int | None:
        """Return the id under which a line is answered that was refused; None where it has none of its own."""
        own = said.get("id") if isinstance(said, dict) and "method" in said else None
        return own if is_id(own) and str(own) not in self._asked else None

    def goes(self, message: JSONRPCMessage) -> None:
        """Note what is about to be said."""
        if isinstance(message, JSONRPCRequest):
            self._asking.add(str(message.id))
            self._tell()

    def gone(self, message: JSONRPCMessage) -> None:
        """Note what was said."""
        if not isinstance(message, JSONRPCRequest | JSONRPCNotification):
            self._asked.discard(str(message.id))
            self._tell()

    async def answered(self) -> None:
        """Wait until nothing is left but what waits for the client itself, which says nothing any more."""
        self._is_answered.clear()
        self._tell()
        await self._is_answered.wait()

    def give_up(self) -> None:
        """Have nobody wait for answers that cannot be said."""
        self._is_answered.set()

    def _tell(self) -> None:
        if len(self._asked) <= len(self._asking):
            self._is_answered.set()


def _message(said: Any) -> JSONRPCMessage:
    require_message(said, "The line")
    try:
        return jsonrpc_message_adapter.validate_python(said, by_name=False)
    except ValidationError as error:
        raise ClientError("invalid_request", "The line is no message of MCP") from error


def _refused(refusal: ClientError, request_id: str | int | None) -> JSONRPCError:
    problem = refusal.problem("client", None).model_dump(mode="json")
    code = PARSE_ERROR if refusal.code == "malformed_request" else INVALID_REQUEST
    error = ErrorData(code=code, message=f"{refusal.code}: {refusal.detail}", data=problem)
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=error)
