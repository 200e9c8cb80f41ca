"""Direct routes answer what FastAPI's own would."""

from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, Request
from pydantic import Field

from common.errors import ToolError
from common.models import Strict
from common.web.app import build_app
from common.web.body import JsonRoute
from common.web.direct import DirectRoute

JSON = {"content-type": "application/json"}


class Asked(Strict):
    """A request."""

    name: str = Field(max_length=5)


class Told(Strict):
    """An answer, one of whose fields has another name outside."""

    name: str
    of: str = Field(serialization_alias="from")
    more: float | None = None


async def part_of(request: Request) -> str:
    """Return a part of the service."""
    return f"{request.app.state.part}"


async def two(request: Request, x: int = 1) -> str:
    """Depend on more than the request."""
    return f"{request.url}{x}"


def _router(route_class):
    router = APIRouter(route_class=route_class)

    @router.post("/told")
    async def tell(asked: Asked, part: Annotated[str, Depends(part_of)]) -> Told:
        if asked.name == "no":
            raise ToolError("path_not_found", "not there", path="no")
        if asked.name == "break":
            raise RuntimeError("unforeseen")
        return Told(name=asked.name, of=part)

    return router


@pytest.fixture
def ask():
    """Return what asks a service whose route is of a class."""

    @asynccontextmanager
    async def lifespan(_):
        yield

    async def ask(route_class, **request):
        app = build_app(
            title="test",
            source="orchestrator",
            max_body=100,
            routers=[_router(route_class)],
            lifespan=lifespan,
        )
        app.state.part = "part"
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"X-Request-ID": "one"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://x", headers=headers
        ) as http:
            return await http.post("/told", **request), app.openapi()

    return ask


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"json": {"name": "ann"}}, 200),
        ({"json": {"name": "é\u2028"}}, 200),
        ({"json": {"name": "no"}}, 404),
        ({"json": {"name": "break"}}, 500),
        ({"json": {"name": "too long"}}, 422),
        ({"json": {"name": "a", "more": 1}}, 422),
        ({"json": None}, 422),
        ({}, 422),
        ({"content": b"{", "headers": JSON}, 400),
        ({"content": b"{}"}, 415),
        ({"json": {"name": "x" * 200}}, 413),
    ],
)
async def test_answer_is_that_of_any_other_route(ask, request_, status):
    direct, document = await ask(DirectRoute, **request_)
    usual, of_usual = await ask(JsonRoute, **request_)
    assert (direct.status_code, direct.json()) == (status, usual.json())
    assert direct.headers.items() == usual.headers.items()
    assert document == of_usual


async def test_answer_has_the_names_that_it_has_outside(ask):
    direct, _ = await ask(DirectRoute, json={"name": "ann"})
    assert direct.json() == {"name": "ann", "from": "part", "more": None}


def test_route_that_depends_on_more_is_refused():
    """It would not be given that."""
    router = APIRouter(route_class=DirectRoute)
    with pytest.raises(TypeError, match="depends on more"):

        @router.post("/told")
        async def tell(asked: Asked, part: Annotated[str, Depends(two)]) -> Told:
            return Told(name=asked.name, of=part)


def test_route_without_a_body_is_refused():
    """There would be nothing that it could check by itself."""
    router = APIRouter(route_class=DirectRoute)
    with pytest.raises(TypeError, match="no body"):

        @router.get("/told")
        async def tell() -> Told:
            return Told(name="a", of="b")
