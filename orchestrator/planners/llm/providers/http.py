"""The HTTP client of the models whose address a deployment has chosen."""

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic_ai.models import get_user_agent

CONNECT = 5.0
"""Seconds to connect, however long a request may take: a server that is not there is found soon."""
MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of an answer as it is sent: some 400 for a token of a stream."""
MAX_ERROR = 1024 * 1024
"""Bytes of an answer that says what went wrong."""


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def make_http_client(base_url: str) -> httpx2.AsyncClient:
    """Return a client; one for this machine goes through no proxy, whatever the environment says."""
    return StreamingClient(
        timeout=httpx2.Timeout(600, connect=CONNECT),  # a request brings its own
        # what is packed has no length that could be bounded before it is unpacked
        headers={"User-Agent": get_user_agent(), "Accept-Encoding": "identity"},
        limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=100),
        trust_env=not is_loopback(base_url),
    )


class _Bounded(httpx2.AsyncByteStream):
    """A body that breaks off where it becomes longer than anything that is worth reading."""

    def __init__(self, body: httpx2.AsyncByteStream, most: int) -> None:
        self._body = body
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for piece in self._body:
            read += len(piece)
            if read > self._most:
                raise httpx2.RemoteProtocolError(f"the answer is longer than {self._most} bytes")
            yield piece

    async def aclose(self) -> None:
        """Close what it reads from."""
        await self._body.aclose()


async def _bounded(response: httpx2.Response) -> httpx2.Response:
    """Return a response whose body is not read yet, and never is beyond its bound."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":  # a bomb is small before it is unpacked
        await response.aclose()
        raise httpx2.RemoteProtocolError("the answer is packed, which was not asked for")
    body = response.stream
    if isinstance(body, httpx2.AsyncByteStream):
        response.stream = _Bounded(body, MAX_ANSWER if response.is_success else MAX_ERROR)
    return response


class StreamingClient(httpx2.AsyncClient):
    """Connects soon or not at all, bounds what comes back, and makes a stream of a chat completion that came as a document.

    Some small servers know no streams. Without this, their answer would be paid for and lost.
    """

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send it as usual."""
        request.extensions["timeout"] = {
            **request.extensions.get("timeout", {}), "connect": CONNECT
        }  # fmt: skip
        response = await super().send(request, **options)
        if not options.get("stream"):
            return response
        response = await _bounded(response)
        if not (
            response.is_success and "application/json" in response.headers.get("Content-Type", "")
        ):
            return response
        body = await response.aread()
        events = await asyncio.to_thread(_as_events, body)  # it may be long
        if events is None:
            return response
        headers = {"Content-Type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, content=events, request=request)


def _as_events(body: bytes) -> bytes | None:
    """Return a chat completion as a stream; None for what is none, or is not made as it has to be."""
    try:
        document = json.loads(body)
        if document["object"] != "chat.completion":
            return None
        document["choices"] = [_as_delta(choice) for choice in document["choices"]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    document["object"] = "chat.completion.chunk"
    return b"data: " + json.dumps(document).encode() + b"\n\ndata: [DONE]\n\n"


def _as_delta(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.pop("message")
    calls = [{**call, "index": at} for at, call in enumerate(message.get("tool_calls") or ())]
    return {**choice, "delta": {**message, "tool_calls": calls} if calls else message}
