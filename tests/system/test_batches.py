"""Several reads in one request, against the service as a process."""

import httpx
import pytest
from pydantic import SecretStr

from common.errors import Problem, ToolError
from common.tools import BatchResults, ToolCall, ToolResult
from orchestrator.execution.client import open_client
from tests.system.services import TOKEN, execution_environment

MOST = 32
CONTEXT = {
    "request_id": "req_1",
    "user_id": "local",
    "request_source": {"kind": "internal"},
    "allowed_paths_root": "local/demo",
    "timeout": 30,
}


@pytest.fixture
def client(tmp_path):
    """A client of a service with files that name themselves."""
    demo = tmp_path / "data" / "workspaces" / "local" / "demo"
    demo.mkdir(parents=True)
    for n in range(MOST):
        (demo / f"{n}.txt").write_text(f"{n} " * 10_000)
    service = execution_environment(tmp_path).start()
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        yield http
    assert service.stop() == 0


def call(n, tool="read_file", **arguments):
    """Return a call."""
    return {
        "id": f"c:{n}", "fence": 1, "tool": tool, "context": CONTEXT,
        "arguments": {"path": f"{n}.txt", **arguments},
    }  # fmt: skip


def test_a_batch_of_reads_is_answered_in_order_each_with_its_own_error(client):
    """As many as there may be, more than there are threads for; two that fail change nothing for the others."""
    calls = [call(n) for n in range(MOST)]
    calls[3] = call(3, path="nope.txt")
    calls[7] = call(7, tool="write_file", content="overwritten", mode="replace")
    answer = client.post("/v1/tool-calls:batch", json={"calls": calls})
    results = BatchResults.model_validate_json(answer.content).results
    failed = {n: one.code for n, one in enumerate(results) if isinstance(one, Problem)}
    assert failed == {3: "path_not_found", 7: "invalid_request"}
    read = {n: one for n, one in enumerate(results) if isinstance(one, ToolResult)}
    assert {n: one.id for n, one in read.items()} == {
        n: f"c:{n}" for n in range(MOST) if n not in failed
    }
    assert all(one.output["content"] == f"{n} " * 10_000 for n, one in read.items())
    [untouched] = client.post("/v1/tool-calls:batch", json={"calls": [call(7)]}).json()["results"]
    assert untouched["output"]["content"] == "7 " * 10_000


async def test_the_orchestrators_client_makes_a_batch(client):
    """It has results, and errors that it would raise for one call."""
    calls = [
        ToolCall.model_validate(call(n, **more)) for n, more in enumerate(({}, {"path": "nope"}))
    ]
    async with open_client(str(client.base_url), SecretStr(TOKEN)) as execution:
        read, failed = await execution.call_many(calls)
    assert isinstance(read, ToolResult)
    assert read.output["content"] == "0 " * 10_000
    assert isinstance(failed, ToolError)
    assert (failed.code, failed.context.path) == ("path_not_found", "nope")
    assert (failed.source, failed.outcome) == ("execution_environment", "not_executed")


def test_a_batch_of_more_calls_than_there_may_be_is_refused(client):
    """Before any is made, as the document says."""
    answer = client.post("/v1/tool-calls:batch", json={"calls": [call(0)] * (MOST + 1)})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (413, "request_too_large")
    assert problem["context"] == {"limit": MOST, "actual": MOST + 1}
    described = client.get("/openapi.json").json()["paths"]["/v1/tool-calls:batch"]["post"]
    assert {"200", "413", "422"} <= described["responses"].keys()
