"""The HTTP client of the models whose address a deployment has chosen."""

import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic_ai.models import get_user_agent

CONNECT = 5.0
"""Seconds to connect, however long a request may take: a server that is not there is found soon."""


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
        headers={"User-Agent": get_user_agent()},
        limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=100),
        trust_env=not is_loopback(base_url),
    )


class StreamingClient(httpx2.AsyncClient):
    """Connects soon or not at all, and makes a stream of a chat completion that came as a document.

    Some small servers know no streams. Without this, their answer would be paid for and lost.
    """

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send it as usual."""
        request.extensions["timeout"] = {
            **request.extensions.get("timeout", {}), "connect": CONNECT
        }  # fmt: skip
        response = await super().send(request, **options)
        kind = response.headers.get("Content-Type", "")
        if not (options.get("stream") and response.is_success and "application/json" in kind):
            return response
        body = await response.aread()
        events = _as_events(body)
        if events is None:
            return response
        headers = {"Content-Type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, content=events, request=request)


def _as_events(body: bytes) -> bytes | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("object") != "chat.completion":
        return None
    for choice in document["choices"]:
        delta = choice.pop("message")
        calls = [{**call, "index": at} for at, call in enumerate(delta.get("tool_calls") or ())]
        choice["delta"] = {**delta, "tool_calls": calls} if calls else delta
    document["object"] = "chat.completion.chunk"
    return b"data: " + json.dumps(document).encode() + b"\n\ndata: [DONE]\n\n"
