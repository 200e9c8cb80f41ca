"""Sends requests to the orchestrator's door for MCP, in its newest revision, until they are answered."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
)
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    JSONRPCNotification,
)
from mcp_types.version import LATEST_MODERN_VERSION

from agentic.api.requests import Requests
from agentic.api.transport import ATTEMPTS, connect, pause
from agentic.mcp.outcomes import Heard, outcome_of
from common.errors import AgenticError, SystemFault

SILENCE = 60.0
"""Seconds without a byte of an answer; the door says every few that it is still at work."""
_LOST = (502, 503, 504)
"""Statuses of a request that may be sent again, whoever says so."""


@dataclass(frozen=True)
class Where:
    """The door: where the orchestrator listens, the path there, and the key to show.

    `url` finds the orchestrator, anew where `is_lost` says that nobody has answered.
    """

    url: Callable[[bool], Awaitable[str]]
    path: str
    api_key: str | None
    agent: str


async def _unheard(_note: JSONRPCNotification) -> None:
    """Mind nothing of what is told before the result."""


@dataclass(frozen=True)
class Question:
    """A request: who sends it, what they can do, and who hears what is told before its result."""

    method: str
    params: Mapping[str, Any]
    client_info: Mapping[str, Any]
    capabilities: Mapping[str, Any]
    heard: Heard = _unheard

    def body(self) -> bytes:
        """Return it as it is sent; whether it holds what it must not, the door says."""
        meta = {
            **(self.params.get("_meta") or {}),
            PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION,
            CLIENT_INFO_META_KEY: self.client_info,
            CLIENT_CAPABILITIES_META_KEY: self.capabilities,
        }
        params = {**self.params, "_meta": meta}
        said = {"jsonrpc": "2.0", "id": 1, "method": self.method, "params": params}
        return json.dumps(said).encode()

    def headers(self) -> dict[str, str]:
        """Return what the protocol wants to be seen from outside."""
        headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            MCP_PROTOCOL_VERSION_HEADER: LATEST_MODERN_VERSION,
            MCP_METHOD_HEADER: self.method,
        }
        name = self.params.get(NAME_BEARING_METHODS.get(self.method, ""))
        return headers if name is None else {**headers, MCP_NAME_HEADER: encode_header_value(name)}


class Upstream:
    """The door, wherever the orchestrator is by now; use it as `async with`."""

    def __init__(self, where: Where, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._where = where
        self._transport = transport
        self._closing = AsyncExitStack()
        self._url: str | None = None
        self._requests: Requests | None = None

    async def __aenter__(self) -> Self:
        """Return the door itself; connections are opened with the first request."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._closing.aclose()

    async def ask(self, question: Question) -> dict[str, Any]:
        """Return a request's result, and send it again while its answer is lost.

        It has to be one that may come twice. Raises as `outcome_of`, and StackError where there is no
        orchestrator and none can be started.
        """
        failures, is_unknown = 0, False
        while True:
            try:
                return await self._once(question, is_lost=failures > 0)
            except AgenticError as error:
                if is_unknown:  # by an earlier attempt it may have happened
                    error.outcome = "unknown"
                is_unknown = error.outcome != "not_executed"
                failures += 1
                if failures == ATTEMPTS or not _is_lost(error):
                    raise
            await asyncio.sleep(pause(failures))

    async def _once(self, question: Question, *, is_lost: bool) -> dict[str, Any]:
        requests = await self._found(is_lost)
        sent = requests.opened(
            "POST",
            self._where.path,
            seconds=SILENCE,
            content=question.body(),
            headers=question.headers(),
        )
        async with sent as stream:
            return await outcome_of(stream, question.heard)

    async def _found(self, is_lost: bool) -> Requests:
        url = await self._where.url(is_lost)
        if self._requests is None or url != self._url:
            where = self._where
            http = connect(url, where.api_key, where.agent, SILENCE, self._transport)
            await self._closing.enter_async_context(http)
            self._url, self._requests = url, Requests(http, SILENCE, SILENCE)
        return self._requests


def _is_lost(error: AgenticError) -> bool:
    """Tell whether nobody knows what came of a request, or it has come too early."""
    is_fault = isinstance(error, SystemFault)
    return is_fault and (error.source == "client" or error.spec.status in _LOST)
