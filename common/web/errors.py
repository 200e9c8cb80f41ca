"""Every error of a service as RFC 9457 problem+json: ours, the framework's and the unforeseen."""

import math
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope
from starlette.websockets import WebSocket

from common.errors import (
    MEDIA_TYPE,
    AgenticError,
    ClientError,
    Source,
    SystemFault,
    error,
    field_errors,
    told_of_fields,
)
from common.logs import get_logger
from common.web.methods import allowed_methods

log = get_logger(__name__)

_BY_STATUS = {
    400: "malformed_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "route_not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
    503: "unavailable",
}


def install(app: FastAPI) -> None:
    """Make every error of the application come out as a problem document."""
    app.add_exception_handler(AgenticError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _invalid_socket)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unforeseen)


def problem_response(
    failure: AgenticError, scope: Scope, headers: dict[str, str] | None = None
) -> Response:
    """Return the answer to a request that failed."""
    source: Source = scope["app"].state.source
    request_id = State(scope.get("state", {})).request_id
    problem = failure.problem(source, request_id)
    more = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    if problem.status == 416:
        more["Content-Range"] = f"bytes */{failure.context.limit}"
    if failure.retry_after is not None:  # RFC 9110: whole seconds, and waiting so long has to do
        more["Retry-After"] = str(math.ceil(failure.retry_after.total_seconds()))
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"X-Request-ID": request_id, **more, **(headers or {})},
    )


async def _known(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, AgenticError)  # noqa: S101  # Starlette's handlers are typed loosely
    if isinstance(failure, SystemFault):
        log.warning("request failed", code=failure.code, detail=failure.detail)
    return problem_response(failure, request.scope)


async def _invalid(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, RequestValidationError)  # noqa: S101  # as above
    return problem_response(_refusal(failure.errors()), request.scope)


async def _invalid_socket(socket: WebSocket, failure: Exception) -> None:
    assert isinstance(failure, WebSocketRequestValidationError)  # noqa: S101  # as above
    await socket.send_denial_response(problem_response(_refusal(failure.errors()), socket.scope))


def _refusal(errors: Sequence[Any]) -> ClientError:
    fields = field_errors(errors, skip=1)
    return ClientError("invalid_request", told_of_fields(fields, "the body"), fields=fields)


async def _framework(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)  # noqa: S101  # as above
    code = _BY_STATUS.get(failure.status_code, "malformed_request")
    headers = dict(failure.headers or {})
    if code == "method_not_allowed":  # the framework names those of one route
        headers["Allow"] = ", ".join(allowed_methods(request.scope))
    return problem_response(error(code, _detail(code, request)), request.scope, headers)


def _detail(code: str, request: Request) -> str:
    if code == "route_not_found":
        return "No route has this path"
    if code == "method_not_allowed":
        return f"This route does not take {request.method[:16]}"
    return "The request cannot be served"


async def _unforeseen(request: Request, failure: Exception) -> Response:
    log.error("unforeseen error", exc_info=failure, request_id=request.state.request_id)
    return problem_response(
        SystemFault("internal", "Something went wrong inside the service"), request.scope
    )
