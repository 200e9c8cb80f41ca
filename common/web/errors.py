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
    Problem,
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
    app.add_exception_handler(AgenticError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _invalid_socket)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _failed)


def problem_response(
    failure: AgenticError, scope: Scope, headers: dict[str, str] | None = None
) -> Response:
    """Return the answer to a request that failed."""
    problem = _problem(failure, scope)
    more = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    if problem.status == 416:
        more["Content-Range"] = f"bytes */{failure.context.limit}"
    if failure.retry_after is not None:  # RFC 9110: whole seconds, and waiting so long has to do
        more["Retry-After"] = str(math.ceil(failure.retry_after.total_seconds()))
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"X-Request-ID": _request_id(scope), **more, **(headers or {})},
    )


def problem_of(failure: BaseException, scope: Scope) -> Problem:
    """Return the problem of a part of a request, of which others may have succeeded."""
    return _problem(_told(failure, scope), scope)


def _problem(failure: AgenticError, scope: Scope) -> Problem:
    source: Source = scope["app"].state.source
    return failure.problem(source, _request_id(scope))


def _request_id(scope: Scope) -> str:
    request_id: str = State(scope.get("state", {})).request_id
    return request_id


def _told(failure: BaseException, scope: Scope) -> AgenticError:
    """Return what is told of a failure; one that is the service's own is logged."""
    if not isinstance(failure, AgenticError):
        log.error("unforeseen error", exc_info=failure, request_id=_request_id(scope))
        return SystemFault("internal", "Something went wrong inside the service")
    if isinstance(failure, SystemFault):
        log.warning("request failed", code=failure.code, detail=failure.detail)
    return failure


async def _failed(request: Request, failure: Exception) -> Response:
    return problem_response(_told(failure, request.scope), request.scope)


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
