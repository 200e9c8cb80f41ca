"""Requests to the orchestrator, and its answers: models when they are good, its errors when not."""

from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from common.errors import AgenticError, ClientError, Problem, SystemFault, from_problem

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
ATTEMPTS = 5
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 3.0
"""Seconds between two attempts, doubled each time."""


def checked_url(text: str) -> httpx.URL:
    """Return a base URL; raise `invalid_request` for what cannot be one."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 80) < 65536:
        raise _refusal("The base URL is not of the form http://host:port")
    return url


def is_loopback(url: httpx.URL) -> bool:
    """Tell whether this machine itself is meant: no proxy of the environment leads there."""
    return url.host in ("localhost", "::1") or url.host.startswith("127.")


def pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return min(FIRST_PAUSE * float(2 ** (failures - 1)), LONGEST_PAUSE)


def read_answer(answer: httpx.Response, model: type[T] | TypeAdapter[T]) -> T:
    """Return a successful answer's body; raise the error that any other answer carries."""
    raise_for_error(answer)
    adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
    try:
        return adapter.validate_json(answer.content)
    except ValidationError as error:
        raise _unreadable(answer) from error


def raise_for_error(answer: httpx.Response) -> None:
    """Raise the service's own error, rebuilt from the table, for an answer that is not a success."""
    if answer.is_success:
        return
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError as error:
        raise _unreadable(answer) from error
    raise from_problem(problem)


def connection_fault(error: httpx.TransportError) -> AgenticError:
    """Return the error of a request that got no answer, truthful about its outcome."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        fault = SystemFault("unavailable", "The orchestrator cannot be reached")
    elif isinstance(error, httpx.TimeoutException):
        fault = SystemFault("deadline_exceeded", "The orchestrator did not answer in time")
    else:
        fault = SystemFault("upstream_failed", "The connection to the orchestrator broke")
    fault.source = "client"
    return fault


def body_of(model: type[M], /, **given: Any) -> dict[str, Any]:
    """Return a request's body: only what was given. Raises `invalid_request` before it is sent."""
    known = {name: value for name, value in given.items() if value is not None}
    try:
        return model(**known).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        fields = [
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"]}
            for one in error.errors()
        ]
        raise _refusal("The request is not valid", fields=fields) from error


def _refusal(detail: str, **context: Any) -> ClientError:
    refusal = ClientError("invalid_request", detail, **context)
    refusal.source = "client"
    return refusal


def _unreadable(answer: httpx.Response) -> SystemFault:
    fault = SystemFault(
        "upstream_failed", f"The answer (HTTP {answer.status_code}) is not the orchestrator's"
    )
    fault.source = "client"
    fault.request_id = answer.headers.get("x-request-id")
    return fault
