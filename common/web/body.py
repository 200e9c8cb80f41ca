"""Request bodies: read within a bound, parsed strictly, before FastAPI sees them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from starlette.requests import ClientDisconnect

from common.documents import strict_json
from common.errors import ClientError, FieldError, fields_of, told_of_fields

PATIENCE = 20.0
"""Seconds to wait for the next piece of a body."""
WHOLE = 120.0
"""Seconds for all of a JSON body."""
SMALL = 64 * 1024
"""Bytes that are parsed and validated on the event loop: sooner done there than in a thread."""


class InvalidBody(ClientError):
    """A body that is JSON, but not what the route takes; `body` is what it says."""

    def __init__(self, fields: Sequence[FieldError], body: Any) -> None:
        super().__init__("invalid_request", told_of_fields(fields, "the body"), fields=fields)
        self.body = body


class ParsedRequest(Request):
    """A request whose JSON body has been read and parsed already."""

    def __init__(self, request: Request, body: bytes, parsed: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._read = body
        self.parsed = parsed

    async def body(self) -> bytes:
        """Return what was read."""
        return self._read

    async def json(self) -> Any:
        """Return what it was parsed to."""
        return self.parsed


Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Answer = Callable[[ParsedRequest], Coroutine[Any, Any, Response]]


class JsonRoute(APIRoute):
    """A route that takes strict JSON only and no more of it than the service allows."""

    def get_route_handler(self) -> Handler:
        """Return a handler that reads the body itself where the endpoint has one."""
        handle, field = super().get_route_handler(), self.body_field
        if field is None:
            return handle
        model = _adapter(field.field_info)
        answer, bodiless = self.answering(handle), self.bodiless(handle)

        async def parse_then_answer(request: Request) -> Response:
            body = await read_body(request, request.app.state.max_body)
            if not body:
                return await bodiless(ParsedRequest(request, body, None))
            require_json(request)
            return await answer(ParsedRequest(request, body, await parse(body, model)))

        return parse_then_answer

    def answering(self, handle: Handler, /) -> Answer:
        """Return what answers a request with its body; `handle` is FastAPI's own way."""
        return handle

    def bodiless(self, handle: Handler, /) -> Answer:
        """Return what answers a request without one, likewise."""
        return handle


def _adapter(info: FieldInfo) -> TypeAdapter[Any]:
    kind: Any = info.annotation
    return TypeAdapter(Annotated[kind, *info.metadata] if info.metadata else kind)


async def parse(body: bytes, model: TypeAdapter[Any]) -> Any:
    """Return the model that a body gives; a large one keeps a thread busy and not the event loop.

    FastAPI takes it as it is; what it would list of errors has no bound.
    """
    if len(body) <= SMALL:
        return _validated(body, model)
    return await asyncio.to_thread(_validated, body, model)


def _validated(body: bytes, model: TypeAdapter[Any]) -> Any:
    value = strict_json.loads(body)
    try:
        return model.validate_python(value)
    except ValidationError as error:
        fields = fields_of(error)
    # by itself: there may be as many errors as values, which go here and not on the loop
    raise InvalidBody(fields, value)


async def read_body(request: Request, limit: int) -> bytes:
    """Read a body of at most `limit` bytes; raise `request_too_large` as soon as it is longer."""
    length = _declared(request, limit)
    body, now = bytearray(), asyncio.get_running_loop().time
    last = now() + WHOLE
    try:
        async with asyncio.timeout(PATIENCE) as patience:
            async for piece in request.stream():
                body += piece
                if len(body) > limit:
                    raise _too_large(limit, len(body))
                if len(body) != length:  # there is more to wait for
                    patience.reschedule(min(now() + PATIENCE, last))
    except ClientDisconnect as gone:
        raise _cut_short() from gone
    except TimeoutError as slow:
        raise _too_slow(is_silent=now() < last) from slow
    return bytes(body)


def _declared(request: Request, limit: int) -> int | None:
    """Return how long a body is going to be, where that is known."""
    declared = request.headers.get("content-length", "")
    length = int(declared) if declared.isdecimal() else None
    if length is not None and length > limit:
        raise _too_large(limit, length)
    return length


async def pieces_of(request: Request) -> AsyncIterator[bytes]:
    """Yield a body as it comes; raise `malformed_request` when it stops coming."""
    stream = request.stream()
    try:
        while True:
            async with asyncio.timeout(PATIENCE):
                piece = await anext(stream, None)
            if piece is None:
                return
            yield piece
    except ClientDisconnect as gone:
        raise _cut_short() from gone
    except TimeoutError as slow:
        raise _too_slow() from slow


def _cut_short() -> ClientError:
    return ClientError("malformed_request", "The body ended too early")


def _too_slow(*, is_silent: bool = True) -> ClientError:
    silent = f"Nothing of the body came for {PATIENCE:g} seconds"
    return ClientError(
        "malformed_request", silent if is_silent else f"The body took longer than {WHOLE:g} s"
    )


def _too_large(limit: int, actual: int) -> ClientError:
    return ClientError(
        "request_too_large",
        f"The body is longer than {limit} bytes",
        limit=limit,
        actual=actual,
    )


def require_json(request: Request) -> None:
    """Raise `unsupported_media_type` unless the request says that its body is JSON."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise ClientError("unsupported_media_type", "The body must be application/json")
