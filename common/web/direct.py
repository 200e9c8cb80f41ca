"""Routes of which each request counts: a body that is read and checked once, and an answer written once.

FastAPI checks a body that is checked already, and an answer that is a model already, solves what an
endpoint depends on anew for each request, and opens three stacks for what might have to be closed. What
such a route depends on needs the request alone, and leaves nothing to close.
"""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from starlette.types import Receive, Scope, Send

from common.web.body import Answer, Handler, JsonRoute, ParsedRequest

_JSON = "application/json"
_MISSING = {"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}


class DirectRoute(JsonRoute):
    """A route whose endpoint takes one JSON body, and parts of the service, and returns its model.

    Or a response, where it has written that itself.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the route as any other, and answer its requests at once."""
        super().__init__(*args, **kwargs)
        if self.body_field is None:
            raise TypeError(f"{self.name} takes no body")
        handle = self.get_route_handler()

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await handle(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = answer

    def bodiless(self, _handle: Handler, /) -> Answer:
        """Return what refuses a request without a body, as FastAPI does."""

        async def refuse(_request: ParsedRequest) -> Response:
            raise RequestValidationError([_MISSING])

        return refuse

    def answering(self, _handle: Handler, /) -> Answer:
        """Return what does what the endpoint needs, and no more."""
        [body] = self.dependant.body_params
        endpoint, parts = self.endpoint, self._parts()
        model = TypeAdapter[Any](self.response_model)

        async def answer(request: ParsedRequest) -> Response:
            given = {part: await of(request) for part, of in parts.items()}
            told = await endpoint(**{body.name: request.parsed}, **given)
            if isinstance(told, Response):
                return told
            return Response(model.dump_json(told, by_alias=True), media_type=_JSON)

        return answer

    def _parts(self) -> dict[str, Callable[[Request], Coroutine[Any, Any, Any]]]:
        """Return what finds each part that the endpoint is given, by the name that it has there."""
        parts = {}
        for needed in self.dependant.dependencies:
            name, of = needed.name, needed.call
            if name is None or of is None or list(inspect.signature(of).parameters) != ["request"]:
                raise TypeError(f"{self.name} depends on more than its request")
            parts[name] = of
        return parts
