"""Which requests have no answer yet, of a client and to it: the end of the input waits for the first."""

import asyncio
from typing import Any

from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import (
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    RequestId,
)

from common.documents.jsonrpc import is_id
from common.errors import ClientError

_CANCELLED = "notifications/cancelled"


class UnderWay:
    """Ids as the library compares them: it takes 1 and "1" for the same."""

    def __init__(self) -> None:
        self._asked: dict[RequestId, RequestId] = {}
        """Those of the client, as they were written."""
        self._asking: dict[RequestId, RequestId | None] = {}
        """Those to the client, and for which of its own."""
        self._is_saying = False
        self._is_answered = asyncio.Event()

    def come(self, message: JSONRPCMessage) -> None:
        """Note what has come; raise `invalid_request` for a second request of an id."""
        if isinstance(message, JSONRPCRequest):
            if coerce_request_id(message.id) in self._asked:
                raise ClientError(
                    "invalid_request",
                    f"The request with the id {message.id!r} has no answer yet",
                    hint="Give each request an id of its own.",
                )
            self._asked[coerce_request_id(message.id)] = message.id
        elif isinstance(message, JSONRPCNotification):
            _forget_cancelled(message, self._asked)
        elif message.id is not None:
            self._asking.pop(coerce_request_id(message.id), None)

    def free_id(self, said: Any) -> RequestId | None:
        """Return the id under which a line is answered that was refused; None where it has none of its own."""
        own = said.get("id") if isinstance(said, dict) and "method" in said else None
        return own if is_id(own) and coerce_request_id(own) not in self._asked else None

    def goes(self, said: SessionMessage) -> None:
        """Note what is about to be said; an id is free again before its answer can be read."""
        self._is_saying, message = True, said.message
        if isinstance(message, JSONRPCRequest):
            self._asking[coerce_request_id(message.id)] = _owner_of(said)
        elif isinstance(message, JSONRPCNotification):
            _forget_cancelled(message, self._asking)
        elif message.id is not None:
            self._asked.pop(coerce_request_id(message.id), None)

    def gone(self) -> None:
        """Note that it is said."""
        self._is_saying = False
        self._tell()

    async def answered(self) -> None:
        """Wait until nothing is left but what waits for the client itself, which says nothing any more."""
        self._is_answered.clear()
        self._tell()
        await self._is_answered.wait()

    def left(self) -> list[RequestId]:
        """Return the ids of the client's requests that have no answer."""
        return list(self._asked.values())

    def give_up(self) -> None:
        """Have nobody wait for answers that cannot be said."""
        self._is_answered.set()

    def _tell(self) -> None:
        if not self._is_saying and self._asked.keys() <= set(self._asking.values()):
            self._is_answered.set()


def _forget_cancelled(note: JSONRPCNotification, requests: dict[RequestId, Any]) -> None:
    """Wait for no answer to a request that is cancelled: it may stay without one."""
    request_id = (note.params or {}).get("requestId")
    if note.method == _CANCELLED and is_id(request_id):
        requests.pop(coerce_request_id(request_id), None)


def _owner_of(said: SessionMessage) -> RequestId | None:
    about = said.metadata
    owner = about.related_request_id if isinstance(about, ServerMessageMetadata) else None
    return None if owner is None else coerce_request_id(owner)
