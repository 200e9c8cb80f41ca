"""The execution environment over HTTP: tool calls, and a client that is honest about outcomes."""

import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from common.context import ExecutionContext
from common.errors import AgenticError, Problem, SystemFault, from_problem
from common.off_loop import SMALL, off_loop
from common.tools import (
    BatchResults,
    Settlement,
    ToolCall,
    ToolCallBatch,
    ToolResult,
    ToolSpec,
)

CONNECT_TIMEOUT = 2.0
CONTROL_TIMEOUT = 5.0
"""Seconds for requests that touch no file."""
ANSWER_MARGIN = 2.0
"""Seconds beyond a call's own timeout, so that its truthful 504 arrives."""
KEEP_ALIVE = 4.0
"""Seconds: shorter than the server's, so that no request meets a connection being closed."""
MAX_CONNECTIONS = 256

M = TypeVar("M", bound=BaseModel)
_TOOLS = TypeAdapter(list[ToolSpec])
_UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody. The session has its own: for one that it does not use, the transport would read
all certificates of the machine."""
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class ExecutionClient:
    """Has the signature of the executor on the other side, and raises its errors."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def run(self, call: ToolCall, traceparent: str | None = None) -> ToolResult:
        """Make one attempt at a tool call.

        Raises the service's own error; `unavailable` (not executed) when the request cannot have
        arrived; `deadline_exceeded` or `upstream_failed` (outcome unknown) when it may have.
        """
        # left out where it says nothing: an older service does not know it
        unsaid = {"expected"} if call.expected is None else None
        content = call.model_dump_json(exclude=unsaid)
        answer = await self._call("/v1/tool-calls", content, call.context, traceparent)
        return _read(ToolResult, answer)

    async def call_many(
        self, calls: Sequence[ToolCall], traceparent: str | None = None
    ) -> list[ToolResult | AgenticError]:
        """Make one attempt at several reads in one request; return what each ended with, in order.

        Raises what `run` does where that holds for all of them; `request_too_large` for more calls than
        the service takes at once.
        """
        content = ToolCallBatch(calls=list(calls)).model_dump_json()
        longest = max((call.context for call in calls), key=lambda context: context.timeout)
        answer = await self._call("/v1/tool-calls:batch", content, longest, traceparent)
        # as many outputs as calls: what is large would hold up everybody else
        is_little = len(answer.content) <= SMALL
        results = (await off_loop(is_little, _read, BatchResults, answer)).results
        if len(results) != len(calls):
            raise unreadable(answer)
        return [from_problem(one) if isinstance(one, Problem) else one for one in results]

    async def _call(
        self, path: str, content: str, context: ExecutionContext, traceparent: str | None
    ) -> httpx.Response:
        headers = {"X-Request-ID": context.request_id, "Content-Type": "application/json"}
        if traceparent is not None:
            headers["traceparent"] = traceparent
        timeout = httpx.Timeout(context.timeout + ANSWER_MARGIN, connect=CONNECT_TIMEOUT)
        return await self._send(
            self._http.build_request(
                "POST", path, content=content, headers=headers, timeout=timeout
            )
        )

    async def settle(self, call: ToolCall) -> Settlement:
        """Return what became of a call; one without effect never has one afterwards.

        Raises `call_expired` (unknown) when the service does not know any more, `fenced` when a
        newer owner of the session has been seen.
        """
        path = f"/v1/tool-calls/{quote(call.id, safe='')}"
        headers = {
            "X-Request-ID": call.context.request_id,
            "X-Fence": str(call.fence),
            "X-Execution-Context": json.dumps(call.context.model_dump(mode="json")),
        }
        answer = await self._send(self._http.build_request("DELETE", path, headers=headers))
        return _read(Settlement, answer)

    async def tools(self) -> list[ToolSpec]:
        """Return the tools there are."""
        answer = await self._send(self._http.build_request("GET", "/v1/tools"))
        try:
            return _TOOLS.validate_json(answer.content)
        except ValidationError as error:
            raise unreadable(answer) from error

    async def ready(self) -> None:
        """Return when the execution environment can work; raise what keeps it from that."""
        await self._send(self._http.build_request("GET", "/health/ready"))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        return await send(self._http, request)


async def send(http: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Return the answer to a request; raise the error that it is, or the fault on the way."""
    try:
        answer = await http.send(request)
    except httpx.TransportError as error:
        raise transport_fault(error) from error
    if answer.is_success:
        return answer
    raise upstream_error(answer)


def _read(model: type[M], answer: httpx.Response) -> M:
    """Return what an answer says; raise the fault of one that is not as the service's are."""
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise unreadable(answer) from error


def transport_fault(error: httpx.TransportError) -> SystemFault:
    """Return what a request ends with that got no answer, or not all of it."""
    # The transport raises ConnectTimeout both for a refused connection and for a server that died
    # after it had read the request: only aiohttp's own exception tells them apart.
    if isinstance(error.__cause__, _NEVER_SENT):
        return SystemFault("unavailable", "The execution environment cannot be reached")
    if isinstance(error, httpx.ReadTimeout):
        return SystemFault("deadline_exceeded", "The execution environment did not answer in time")
    return SystemFault("upstream_failed", "The connection broke before the answer was complete")


def upstream_error(answer: httpx.Response) -> AgenticError:
    """Return the error that an answer carries, which has been read."""
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        return unreadable(answer)
    if problem.code == "unauthenticated":  # our secret, not the client's
        return SystemFault(
            "upstream_failed",
            "The execution environment refused the orchestrator's service token",
            hint="ORCHESTRATOR_SERVICE_TOKEN and EXEC_ENV_SERVICE_TOKEN must be the same.",
            outcome="not_executed",
        )
    return from_problem(problem)


def unreadable(answer: httpx.Response) -> SystemFault:
    """Return the fault of an answer that is not as the service's are."""
    return SystemFault(
        "upstream_failed",
        f"The execution environment gave an answer (HTTP {answer.status_code}) of unknown form",
    )


@asynccontextmanager
async def open_http(url: str, token: SecretStr, most: int) -> AsyncIterator[httpx.AsyncClient]:
    """Yield connections to the service, `most` at a time, which close with the context."""
    connector = aiohttp.TCPConnector(limit=most, keepalive_timeout=KEEP_ALIVE)
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    async with (
        session,
        httpx.AsyncClient(
            base_url=url,
            transport=AiohttpTransport(client=session, verify=_UNUSED),
            headers={"Authorization": f"Bearer {token.get_secret_value()}"},
            timeout=httpx.Timeout(CONTROL_TIMEOUT, connect=CONNECT_TIMEOUT),
            trust_env=False,
        ) as http,
    ):
        yield http


@asynccontextmanager
async def open_client(url: str, token: SecretStr) -> AsyncIterator[ExecutionClient]:
    """Yield a client; its connections close with the context."""
    async with open_http(url, token, MAX_CONNECTIONS) as http:
        yield ExecutionClient(http)
