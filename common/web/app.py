"""One way to make a service: the same ids, errors, bodies and documentation in both."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from common.errors import Source
from common.web import errors, openapi
from common.web.ambiguity import Unambiguous
from common.web.methods import HeadLikeGet
from common.web.request_ids import RequestIds

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def build_app(
    *,
    title: str,
    source: Source,
    max_body: int,
    routers: Sequence[APIRouter],
    lifespan: Lifespan,
    middleware: Sequence[Middleware] = (),
) -> FastAPI:
    """Return the application; `middleware` (access checks) runs inside the request ids.

    `max_body` bounds a JSON body, in bytes. `source` names the service in its errors.
    """

    @asynccontextmanager
    async def named(app: FastAPI) -> AsyncIterator[dict[str, Source]]:
        async with lifespan(app):
            yield {"source": source}  # the protocol refuses in the service's name, too

    app = FastAPI(
        title=title,
        version=version("agentic-framework"),
        lifespan=named,
        redirect_slashes=False,
        docs_url=None,  # those pages run scripts of other hosts in the origin of the API
        redoc_url=None,
        middleware=[
            Middleware(RequestIds),
            Middleware(Unambiguous),
            Middleware(HeadLikeGet),
            *middleware,
        ],
    )
    app.state.source = source
    app.state.max_body = max_body
    errors.install(app)
    openapi.install(app)
    for router in routers:
        app.router.routes.extend(router.routes)  # `include_router` would make each a second time
    return app
