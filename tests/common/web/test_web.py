"""The plumbing of both services: errors, ids, bodies, secrets, documentation."""

import asyncio
import json
import threading
from contextlib import asynccontextmanager, nullcontext
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter
from pydantic import AfterValidator, SecretStr, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse

from common.errors import SystemFault, ToolError
from common.models import Strict
from common.web import body
from common.web.app import build_app
from common.web.auth import ServiceToken
from common.web.body import SMALL, InvalidBody, JsonRoute, parse
from common.web.health import health_router
from common.web.openapi import problems

JSON = {"content-type": "application/json"}


class Body(Strict):
    """A request."""

    name: str


def _router() -> APIRouter:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/v1/echo", responses=problems("invalid_request", "malformed_request"))
    async def echo(body: Body) -> Body:
        return body

    @router.get("/v1/tool")
    async def tool() -> None:
        raise ToolError("path_not_found", "'a' does not exist", path="a", errno="ENOENT")

    @router.get("/v1/bug")
    async def bug() -> None:
        raise KeyError("/host/secret")

    @router.get("/v1/teapot")
    async def teapot() -> None:
        raise HTTPException(418)

    for method in ("GET", "PUT"):
        router.add_api_route("/v1/thing", thing, methods=[method])
    router.add_api_route("/v1/endless", endless)
    return router


async def thing() -> int:
    """Answer."""
    return 1


async def endless() -> StreamingResponse:
    """Answer for ever."""

    async def pieces():
        while True:
            yield ": alive\n\n"
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def _unready() -> dict[str, object]:
    raise SystemFault("unavailable", "not now")


@pytest.fixture
async def client():
    """A client of a small service."""

    @asynccontextmanager
    async def lifespan(_):
        yield

    app = build_app(
        title="test",
        source="orchestrator",
        max_body=100,
        routers=[_router(), health_router(_unready)],
        lifespan=lifespan,
        middleware=[Middleware(ServiceToken, token=SecretStr("secret"))],
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as http:
        yield http


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (("GET", "/nope", {}), 404, "route_not_found"),
        (("GET", "/v1/echo/", {}), 404, "route_not_found"),
        (("PUT", "/v1/echo", {}), 405, "method_not_allowed"),
        (("POST", "/v1/echo", {}), 422, "invalid_request"),
        (("POST", "/v1/echo", {"json": {"nam": "x"}}), 422, "invalid_request"),
        (("POST", "/v1/echo", {"json": [1]}), 422, "invalid_request"),
        (("POST", "/v1/echo", {"content": b"{", "headers": JSON}), 400, "malformed_request"),
        (("POST", "/v1/echo", {"content": b'{"name":"\\ud800"}', "headers": JSON}), 400, "malformed_request"),
        (("POST", "/v1/echo", {"content": b'{"name":NaN}', "headers": JSON}), 400, "malformed_request"),
        (("POST", "/v1/echo", {"content": b"{}", "headers": {"content-type": "text/plain"}}), 415, "unsupported_media_type"),
        (("POST", "/v1/echo", {"content": b"{}"}), 415, "unsupported_media_type"),
        (("POST", "/v1/echo", {"json": {"name": "x" * 200}}), 413, "request_too_large"),
        (("GET", "/v1/tool", {}), 404, "path_not_found"),
        (("GET", "/v1/bug", {}), 500, "internal"),
        (("GET", "/v1/teapot", {}), 400, "malformed_request"),
        (("GET", "/health/ready", {}), 503, "unavailable"),
    ],
)  # fmt: skip
async def test_every_error_is_a_problem_document(client, request_, status, code):
    """Clients read one form, whatever went wrong, and can name the request."""
    method, path, options = request_
    answer = await client.request(method, path, **options)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["type"]) == (code, f"urn:agentic:error:{code}")
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "/root" not in answer.text
    assert (problem["status"], answer.status_code >= 400) == (status, True)


def test_the_routes_of_a_router_are_those_of_the_application():
    """Included, each is made a second time, when the first request comes."""
    router = _router()
    app = build_app(
        title="t",
        source="orchestrator",
        max_body=1,
        routers=[router],
        lifespan=lambda _: nullcontext(),
    )
    assert app.routes[-len(router.routes) :] == router.routes


async def test_a_chunked_body_is_bounded_while_it_is_read(client):
    """A body that does not declare its length is not read to its end."""
    taken = 0

    async def endless():
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 50

    answer = await client.post("/v1/echo", content=endless(), headers=JSON)
    assert answer.json()["code"] == "request_too_large"
    assert taken <= 4


@pytest.mark.parametrize("small", [0, SMALL])
async def test_a_body_is_validated_alike_in_a_thread_and_on_the_loop(client, monkeypatch, small):
    """What is wrong with a request does not depend on its size."""
    monkeypatch.setattr(body, "SMALL", small)
    answer = await client.post("/v1/echo", content=b'{"name":"x"}', headers=JSON)
    assert answer.json() == {"name": "x"}
    answer = await client.post("/v1/echo", content=b'{"a":1,"b":{"c":[]}}', headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    fields = [field["field"] for field in answer.json()["context"]["fields"]]
    assert fields == ["name", "a", "b"]


@pytest.mark.parametrize(("size", "is_here"), [(SMALL, True), (SMALL + 1, False)])
async def test_a_large_body_is_parsed_and_validated_off_the_event_loop(size, is_here):
    """Everybody else would wait: for a hundred thousand unknown fields a quarter of a second."""
    threads = []
    model = TypeAdapter(
        Annotated[Any, AfterValidator(lambda _: threads.append(threading.current_thread()))]
    )
    await parse(b" " * (size - 1) + b"1", model)
    assert (threads[0] is threading.main_thread()) is is_here


async def test_errors_of_a_large_body_end_where_it_was_validated():
    """There may be a hundred thousand, which to release on the event loop took 70 ms.

    What was said is kept: it may have to go on record.
    """
    said = {f"{n}": 1 for n in range(2000)}
    with pytest.raises(InvalidBody) as caught:
        await parse(b" " * SMALL + json.dumps(said).encode(), TypeAdapter(Body))
    assert (caught.value.code, caught.value.body) == ("invalid_request", said)
    assert caught.value.context.fields[0].message.startswith("2001 ")
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/echo", "POST"),
        ("HEAD", "/v1/echo", "POST"),
        ("DELETE", "/v1/thing", "HEAD, GET, PUT"),
        ("POST", "/health/live", "HEAD, GET"),
        ("POST", "/openapi.json", "HEAD, GET"),
    ],
)
async def test_a_method_that_is_not_allowed_names_those_that_are(client, method, path, allow):
    """RFC 9110, 15.5.6: all of them, not those of the first route that has the path."""
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("path", ["/health/live", "/v1/thing", "/openapi.json", "/v1/tool"])
async def test_head_is_get_without_the_body(client, path):
    """RFC 9110, 9.3.2: load balancers ask that way."""
    head, get = await client.head(path), await client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == get.headers[name]


async def test_head_of_an_endless_answer_ends(client):
    """The body is not made in order to be left away."""
    async with asyncio.timeout(10):
        answer = await client.head("/v1/endless")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"


@pytest.mark.parametrize(
    "headers",
    [
        [("Idempotency-Key", "a"), ("Idempotency-Key", "b")],
        [("Host", "x"), ("Host", "y")],
        [("Content-Type", "application/json"), ("Content-Type", "text/plain")],
        [("X-Execution-Context", "{}"), ("X-Execution-Context", "")],
    ],
)
async def test_a_header_that_contradicts_itself_is_refused(client, headers):
    """Of two keys one was ignored in silence: the request was repeated under the wrong one."""
    answer = await client.put("/v1/thing", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    same = [headers[0], headers[0]]
    assert (await client.put("/v1/thing", headers=same)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/%ff", "/v1/%ed%a0%80", "/v1/thing?x=%fe"])
async def test_an_address_that_is_no_text_is_refused(client, path):
    """What is not UTF-8 was replaced: `%fe` and `%ff` were one."""
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/oauth2-redirect"])
async def test_no_documentation_page_runs_the_scripts_of_others(client, path):
    """In the origin of the API they could do whatever the user can."""
    assert (await client.get(path)).status_code == 404


async def test_an_error_does_not_echo_the_input(client):
    """A stock 422 repeats the whole body."""
    answer = await client.post("/v1/echo", json={"name": {"password": "hush-hush"}})
    assert answer.status_code == 422
    assert "hush-hush" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer wrong")],
        [(b"Authorization", b"Bearer \xff\xfe")],
        [("Authorization", "Basic secret")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Bearer secret"), ("Authorization", "Bearer secret")],
    ],
)
async def test_only_the_one_right_bearer_secret_gets_in(client, headers):
    """Wrong, missing, malformed and doubled headers are all 401, probes stay open."""
    client.headers.pop("authorization")
    answer = await client.get("/v1/tool", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (await client.get("/health/live")).json()["status"] == "ok"


async def test_a_callers_request_id_is_kept(client):
    """One id through both services."""
    answer = await client.get("/v1/tool", headers={"X-Request-ID": "mine-1"})
    assert (answer.headers["x-request-id"], answer.json()["request_id"]) == ("mine-1", "mine-1")


async def test_the_openapi_document_names_errors_with_examples(client):
    """OpenAPI is where client authors look first."""
    document = (await client.get("/openapi.json")).json()
    answers = document["paths"]["/v1/echo"]["post"]["responses"]
    content = answers["422"]["content"]["application/problem+json"]
    assert content["examples"]["invalid_request"]["value"]["status"] == 422
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
