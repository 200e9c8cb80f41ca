"""Routes of which each request counts: a body that is read and checked once, and an answer written once.

FastAPI checks a body that is checked already, and an answer that is a model already, and solves what an
endpoint depends on anew for each request. What such a route depends on needs the request alone.
"""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from pydantic import TypeAdapter

from common.web.body import Answer, Handler, JsonRoute, ParsedRequest

_JSON = "application/json"


class DirectRoute(JsonRoute):
    """A route whose endpoint takes one JSON body, and parts of the service, and returns its model.

    Or a response, where it has written that itself.
    """

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
