"""Workspaces in the execution environment, asked for as the execution client asks."""

import json

import httpx
import pytest

from common.context import ExecutionContext
from common.errors import AgenticError, ClientError
from orchestrator.execution.workspaces import Workspaces

USAGE = {
    "name": "w",
    "size": 5,
    "entries": 1,
    "changed_at": "2026-01-01T00:00:00Z",
    "generation": "g",
}
CONTEXT = ExecutionContext.model_validate(
    {"request_id": "req_1", "user_id": "ann", "request_source": {"kind": "rest"},
     "allowed_paths_root": "ann/w", "timeout": 5}
)  # fmt: skip
NOT_FOUND = ClientError("workspace_not_found", "no w").problem("execution_environment", "req_1")


@pytest.fixture
def asking():
    """Return workspaces over a function that answers requests."""
    return lambda answer: Workspaces(
        httpx.AsyncClient(base_url="http://x", transport=httpx.MockTransport(answer))
    )


async def test_workspaces_are_read_and_deleted_under_their_users_name(asking):
    """The context goes with what changes something."""
    seen = []

    def answer(request):
        seen.append(request)
        if request.method == "DELETE":
            return httpx.Response(204)
        page = {"items": [USAGE], "next_cursor": "w"}
        return httpx.Response(200, json=USAGE if request.url.path.endswith("/w") else page)

    workspaces = asking(answer)
    assert (await workspaces.list("ann", 7, "a", "req_1")).next_cursor == "w"
    assert (await workspaces.get("ann", "w", "req_1")).size == 5
    await workspaces.delete(CONTEXT)
    asked = [f"{request.method} {request.url.raw_path.decode()}" for request in seen]
    assert asked == [
        "GET /v1/workspaces/ann?limit=7&cursor=a",
        "GET /v1/workspaces/ann/w",
        "DELETE /v1/workspaces/ann/w",
    ]
    assert all(request.headers["x-request-id"] == "req_1" for request in seen)
    assert json.loads(seen[2].headers["x-execution-context"])["allowed_paths_root"] == "ann/w"


async def test_errors_about_workspaces_are_the_services_own(asking):
    """What is no answer of it is its failure."""
    absent = asking(lambda _: httpx.Response(404, text=NOT_FOUND.model_dump_json()))
    strange = asking(lambda _: httpx.Response(200, text="hello"))
    for workspaces, code in ((absent, "workspace_not_found"), (strange, "upstream_failed")):
        for work in (workspaces.get("ann", "w", "r"), workspaces.list("ann", 1, None, "r")):
            with pytest.raises(AgenticError) as caught:
                await work
            assert caught.value.code == code
