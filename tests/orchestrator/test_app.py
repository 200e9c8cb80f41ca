"""The application as it is put together: roles, and a complete OpenAPI document."""

import httpx
import pytest

from orchestrator.app import build
from orchestrator.settings import Settings

NEEDED = {"data_dir": "data", "execution_url": "http://127.0.0.1:1", "service_token": "t"}


@pytest.mark.parametrize(("role", "serves"), [("all", True), ("api", True), ("worker", False)])
def test_app_in_the_worker_role_answers_probes_only(role, serves):
    """Clients talk to the API role."""
    paths = build(Settings(role=role, **NEEDED)).openapi()["paths"]
    assert ("/v1/sessions" in paths) is serves
    assert "/health/ready" in paths


def test_openapi_documents_every_route_with_its_errors():
    """OpenAPI is where client authors look first."""
    document = build(Settings(**NEEDED)).openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            if path.startswith(("/v1/", "/agui/")):
                problems = operation["responses"]["422"]["content"]["application/problem+json"]
                assert problems["schema"]["$ref"] == "#/components/schemas/Problem"
                assert problems["examples"], path
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_app_without_a_model_serves_and_says_so(tmp_path):
    """Nothing that speaks to models has to be installed for plans and plain commands."""
    app = build(Settings(**NEEDED | {"data_dir": tmp_path}))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http,
    ):
        planners = (await http.get("/v1/planners")).json()
    told = {planner["name"]: planner["available"] for planner in planners}
    assert told == {"plan": True, "rules": True, "llm": False}
    assert "ORCHESTRATOR_MODEL" in next(
        planner["reason"] for planner in planners if planner["reason"]
    )


def test_openapi_shows_what_a_message_looks_like():
    """An example is what authors of clients copy."""
    operation = build(Settings(**NEEDED)).openapi()["paths"][
        "/v1/sessions/{session_id}/runs/{run_id}/messages"
    ]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["examples"]
    assert {"202", "404", "409", "429"} <= operation["responses"].keys()


SESSION, RUN = "/v1/sessions/{session_id}", "/v1/sessions/{session_id}/runs/{run_id}"


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        (f"{RUN}/plan", "get", {"200", "404"}),
        (f"{RUN}/plan", "put", {"200", "404", "409", "412", "413", "422", "502", "503", "504"}),
        (f"{RUN}/approval", "post", {"202", "404", "409", "412", "422", "502", "503"}),
        ("/v1/plans/preview", "post", {"200", "404", "422", "429", "502", "503", "504"}),
        ("/v1/rules", "put", {"200", "412", "422"}),
        (SESSION, "patch", {"200", "404", "412", "422"}),
        ("/agui/{workspace}", "post", {"200", "404", "409", "412", "413", "415", "422", "429"}),
    ],
)
def test_openapi_tells_all_that_an_answer_to_a_run_takes_and_gives(path, method, statuses):
    """Authors of clients see what to send, and what to be prepared for."""
    operation = build(Settings(**NEEDED)).openapi()["paths"][path][method]
    assert statuses <= operation["responses"].keys()
    if method != "get":
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        assert body["examples"]


@pytest.mark.parametrize(
    ("path", "method", "is_required"),
    [
        (f"{RUN}/plan", "put", True),
        (f"{RUN}/approval", "post", True),
        (SESSION, "patch", True),
        ("/v1/rules", "put", False),
    ],
)
def test_openapi_names_the_condition_of_a_change(path, method, is_required):
    """Who leaves it out would undo what they have not seen."""
    parameters = build(Settings(**NEEDED)).openapi()["paths"][path][method]["parameters"]
    [condition] = [one for one in parameters if one["name"] == "If-Match"]
    assert (condition["in"], condition["required"]) == ("header", is_required)
    assert condition["schema"]["pattern"]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        (f"{RUN}/plan", "get", "200"),
        (f"{RUN}/plan", "put", "200"),
        ("/v1/rules", "get", "200"),
        (SESSION, "get", "200"),
        (SESSION, "patch", "200"),
        ("/v1/sessions", "post", "201"),
    ],
)
def test_openapi_names_the_tag_that_a_change_needs(path, method, status):
    """It comes with each answer that shows what can be changed."""
    answer = build(Settings(**NEEDED)).openapi()["paths"][path][method]["responses"][status]
    assert "ETag" in answer["headers"]
    assert answer["content"]["application/json"]["schema"]["$ref"]
