"""The ids of a request: taken or made on arrival, in every log line, sent back with the answer."""

import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from common.ids import request_id_from
from common.logs import get_logger

log = get_logger(__name__)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_STARTS = ("http.response.start", "websocket.http.response.start", "websocket.accept")


class RequestIds:
    """ASGI middleware: `request.state.request_id` and `.traceparent` (W3C, or None)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bind the ids around the request and log how it ended."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = request_id_from(headers.get("x-request-id"))
        traceparent = _traceparent(headers.get("traceparent"))
        scope.setdefault("state", {}).update(request_id=request_id, traceparent=traceparent)
        status, started = 0, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] in _STARTS:
                status = message.get("status", 101)
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                _log_end(scope, status or 500, time.perf_counter() - started)


def _traceparent(header: str | None) -> str | None:
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


def _log_end(scope: Scope, status: int, seconds: float) -> None:
    write = log.debug if scope["path"].startswith("/health/") else log.info
    write(
        "request",
        method=scope.get("method", "WEBSOCKET"),
        path=scope["path"],
        status=status,
        duration_ms=round(seconds * 1000, 2),
    )
