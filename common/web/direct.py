"""Routes of which each request counts: a body that is read and checked once, and an answer written once.

FastAPI checks a body that is checked already, and an answer that is a model already, and solves what an
endpoint depends on anew for each request. What such a route depends on needs the request alone.
"""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from common.web.body import JsonRoute, ParsedRequest, adapter_of, parse, read_body, require_json

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_JSON = "application/json"


class DirectRoute(JsonRoute):
    """A route whose endpoint takes one JSON body, and parts of the service, and returns its model."""

    def get_route_handler(self) -> Handler:
        """Return a handler that does what the endpoint needs, and no more."""
        otherwise, body_field = APIRoute.get_route_handler(self), self.body_field
        if body_field is None:
            raise TypeError(f"{self.name} has no body")
        endpoint, name, parts = self.endpoint, body_field.name, self._parts()
        model, answer = adapter_of(body_field.field_info), TypeAdapter[Any](self.response_model)

        async def handle(request: Request) -> Response:
            body = await read_body(request, request.app.state.max_body)
            if not body:
                return await otherwise(ParsedRequest(request, body, None))
            require_json(request)
            given = {name: await parse(body, model)}
            for part, of in parts.items():
                given[part] = await of(request)
            return Response(answer.dump_json(await endpoint(**given)), media_type=_JSON)

        return handle

    def _parts(self) -> dict[str, Callable[[Request], Coroutine[Any, Any, Any]]]:
        """Return what finds each part that the endpoint is given, by the name that it has there."""
        parts = {}
        for needed in self.dependant.dependencies:
            name, of = needed.name, needed.call
            if name is None or of is None or list(inspect.signature(of).parameters) != ["request"]:
                raise TypeError(f"{self.name} depends on more than its request")
            parts[name] = of
        return parts
