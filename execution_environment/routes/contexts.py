"""Who asks: the context that a call brings, and the record of a call whose context is refused."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from common.audit import SETTLE
from common.context import ExecutionContext
from common.documents import strict_json
from common.errors import ClientError
from common.web.body import InvalidBody, JsonRoute
from common.web.direct import DirectRoute
from execution_environment.audit.records import arguments_digest
from execution_environment.calls.batches import TooManyCalls
from execution_environment.routes.dependencies import services_of

MAX_TEXT = 200
"""Characters that are put on record of each thing that a refused call says."""
MAX_NOTED = 256
"""Calls of one refused batch that are put on record: as many as any batch can have."""
BATCH = "call_tools"
"""The endpoint that takes several calls."""
HEADER = "x-execution-context"
_SAID = (
    "request_id", "session_id", "run_id", "step_id", "user_id", "allowed_paths_root", "access",
)  # fmt: skip
_TOOLS = {
    "download": "download_file",
    "upload": "upload_file",
    "delete_file": "delete_file",
    "diff_archive": "diff_archive",
    "get_archive": "get_archive",
    "put_archive": "put_archive",
    "delete_workspace": "delete_workspace",
    "settle_call": SETTLE,
}
"""What stands for a tool in the record, by the endpoint that was asked."""
_WITH_BODY = (RequestValidationError, InvalidBody, TooManyCalls)
_UNREADABLE = {"malformed_request", "request_too_large", "unsupported_media_type"}
"""Why the body of a call is not even looked at."""


class RefusedContext(ClientError):
    """The context of a call is not valid, or not that of what is asked for."""


def context_from(header: str) -> ExecutionContext:
    """Return the context that a header carries; raise RefusedContext."""
    try:
        # header values are bytes: Latin-1 gives back the ones that were sent
        value = strict_json.loads(header.encode("latin-1"), "X-Execution-Context")
        return ExecutionContext.model_validate(value)
    except ClientError as refusal:
        raise RefusedContext(refusal.code, refusal.detail) from refusal
    except ValidationError as error:
        raise RefusedContext("invalid_request", "X-Execution-Context is not valid") from error


class RecordedRoute(JsonRoute):
    """A route whose calls are on record also when they are refused before they are made."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return a handler that puts a refusal on record."""
        handle = super().get_route_handler()

        async def handle_on_record(request: Request) -> Response:
            try:
                return await handle(request)
            except (RequestValidationError, ClientError) as refusal:
                if self._is_of_no_call(refusal):
                    await asyncio.to_thread(_note, request, self.name, refusal)
                raise

        return handle_on_record

    def _is_of_no_call(self, refusal: Exception) -> bool:
        """Tell whether a request was refused before there was a call, which is on record itself."""
        if isinstance(refusal, ClientError) and self.body_field is not None:
            return isinstance(refusal, InvalidBody) or refusal.code in _UNREADABLE
        return isinstance(refusal, (RequestValidationError, RefusedContext))


class RecordedCall(RecordedRoute, DirectRoute):
    """A route of one tool call, which is on record likewise."""


def _note(request: Request, endpoint: str, refusal: Exception) -> None:
    body = refusal.body if isinstance(refusal, _WITH_BODY) else None
    for said in _calls_in(body, endpoint) or [_said_beside_the_body(request)]:
        services_of(request).audit.append(_entry(request, endpoint, refusal, said))


def _calls_in(body: Any, endpoint: str) -> list[dict[str, Any]]:
    """Return what a body says of the calls that it is about; none of a batch is made."""
    if not isinstance(body, dict):
        return []
    calls = body.get("calls") if endpoint == BATCH else None
    said = calls[:MAX_NOTED] if isinstance(calls, list) else []
    return [call for call in said if isinstance(call, dict)] or [body]


def _entry(
    request: Request, endpoint: str, refusal: Exception, said: dict[str, Any]
) -> dict[str, Any]:
    context = said.get("context")
    claimed = context if isinstance(context, dict) else {}
    return {
        "id": _text(said.get("id")) or "",
        "fence": said["fence"] if type(said.get("fence")) is int else 0,
        "tool": _TOOLS.get(endpoint) or _text(said.get("tool")) or "",
        "arguments_sha256": arguments_digest(said.get("arguments")),
        "context": {
            "request_id": request.state.request_id,
            **{name: text for name in _SAID if (text := _text(claimed.get(name)))},
        },
        "outcome": "not_executed",
        "code": refusal.code if isinstance(refusal, ClientError) else "invalid_request",
        "duration_ms": 0,
    }


def _said_beside_the_body(request: Request) -> dict[str, Any]:
    """Return what the path and the headers say of a call; the context may be anything."""
    place = request.path_params
    context: Any = {}
    with suppress(ValueError, RecursionError):
        context = json.loads(request.headers.get(HEADER, "{}"))
    if "workspace" in place and isinstance(context, dict):
        asked = {"user_id": place["user"], **context}
        context = {**asked, "allowed_paths_root": f"{place['user']}/{place['workspace']}"}
    named = {name: place[name] for name in ("path", "call_id") if name in place}
    return {
        "id": place.get("call_id") or request.headers.get("idempotency-key"),
        "arguments": named,
        "context": context,
    }


def _text(said: Any) -> str | None:
    """Return text, cut, that can be shown: half a surrogate pair cannot."""
    return said[:MAX_TEXT].encode(errors="replace").decode() if isinstance(said, str) else None
