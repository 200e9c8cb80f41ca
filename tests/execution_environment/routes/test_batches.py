"""Several reads in one request, over HTTP: results and problems in order, each call on record."""

import httpx
import pytest

from execution_environment.app import build
from execution_environment.settings import Settings
from execution_environment.tools import get_file_info
from tests.execution_environment.routes.conftest import CONTEXT, RUN, body, last_record


@pytest.fixture
async def client(tmp_path):
    """A client of a service that takes batches of four."""
    workspace = tmp_path / "data" / "workspaces" / "ann" / "demo"
    workspace.mkdir(parents=True)
    (workspace / "x").write_text("1")
    (workspace / "long").write_text("1\n22\n")
    app = build(Settings(data_dir=tmp_path / "data", service_token="secret", max_batch=4))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    secret = {"Authorization": "Bearer secret"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://x", headers=secret) as http,
    ):
        yield http


def call(name, tool="read_file", context=None, fence=1, **arguments):
    """Return a call."""
    return {
        "id": name, "fence": fence, "tool": tool, "arguments": arguments,
        "context": CONTEXT | (context or {}),
    }  # fmt: skip


async def sent(client, *calls):
    """Send a batch; return its results."""
    answer = await client.post("/v1/tool-calls:batch", json={"calls": calls})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def without_time(result):
    """Leave out what differs from call to call."""
    return {name: value for name, value in result.items() if name != "duration_ms"}


async def test_each_call_of_a_batch_is_answered_as_it_would_be_by_itself(client):
    """Results and problems, in order: whoever reads them needs nothing new."""
    calls = [
        call("a", path="x"),
        call("b", path="nope"),
        call("c", tool="raed_file", path="x"),
        call("d", tool="list_directory"),
    ]
    by_themselves = [
        (await client.post("/v1/tool-calls", json=one, headers={"X-Request-ID": "r"})).json()
        for one in calls
    ]
    answer = await client.post(
        "/v1/tool-calls:batch", json={"calls": calls}, headers={"X-Request-ID": "r"}
    )
    results = answer.json()["results"]
    assert list(map(without_time, results)) == list(map(without_time, by_themselves))
    assert [one.get("code") for one in results] == [None, "path_not_found", "tool_not_found", None]


async def test_each_call_of_a_batch_has_its_own_deadline_bounds_and_fence(client):
    """What one may do says nothing of the next."""
    await client.post("/v1/tool-calls", json=body(fence=7))
    results = await sent(
        client,
        call("late", context={"timeout": 1e-9}, fence=7, path="x"),
        call("narrow", context={"limits": {"max_read_bytes": 2}}, fence=7, path="long"),
        call("stale", fence=6, path="x"),
        call("fine", fence=7, path="x"),
    )
    assert [one.get("code") for one in results] == [
        "deadline_exceeded", None, "fenced", None,
    ]  # fmt: skip
    assert [results[n]["output"]["content"] for n in (1, 3)] == ["1\n", "1"]


async def test_a_call_of_a_batch_that_changes_files_is_refused_alone(client):
    """With what to do instead, before anything of it is run."""
    refused, read = await sent(client, body("write"), call("a", path="x"))
    assert (refused["code"], refused["status"]) == ("invalid_request", 422)
    assert (refused["outcome"], refused["context"]["tool"]) == ("not_executed", "write_file")
    assert refused["hint"] == "Make this call by itself: POST /v1/tool-calls."
    assert read["output"]["content"] == "1"
    assert (await sent(client, call("b", path="write")))[0]["code"] == "path_not_found"


async def test_each_call_of_a_batch_is_on_record(client):
    """Made or refused: the trail knows no batches."""
    await sent(client, call("a", path="x"), call("b", path="nope"), body("c"))
    items = (await client.get("/v1/audit")).json()["items"]
    assert {(one["id"], one["tool"], one["outcome"], one["code"]) for one in items} == {
        ("a", "read_file", "executed", None),
        ("b", "read_file", "not_executed", "path_not_found"),
        ("c", "write_file", "not_executed", "invalid_request"),
    }
    assert {one["context"]["run_id"] for one in items} == {RUN}


async def test_a_fault_of_one_call_is_its_own(client, monkeypatch):
    """Nobody foresaw it; the others are answered."""

    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setitem(vars(get_file_info.get_file_info), "function", fail)
    failed, read = await sent(
        client, call("a", tool="get_file_info", path="x"), call("b", path="x")
    )
    assert (failed["code"], failed["status"], failed["source"]) == (
        "internal", 500, "execution_environment",
    )  # fmt: skip
    assert "ZeroDivision" not in str(failed)
    assert read["output"]["content"] == "1"


@pytest.mark.parametrize(
    ("batch", "status", "code"),
    [
        ({"calls": []}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ([call("a")], 422, "invalid_request"),
        ({"calls": [call("a"), {"id": "b"}]}, 422, "invalid_request"),
        ({"calls": [call("a")], "more": 1}, 422, "invalid_request"),
        ({"calls": [call("a")] * 5}, 413, "request_too_large"),
    ],
)
async def test_what_is_no_batch_is_refused_as_a_whole(client, batch, status, code):
    """Before any call is made, and on record."""
    answer = await client.post("/v1/tool-calls:batch", json=batch)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    record = await last_record(client)
    assert (record["outcome"], record["code"]) == ("not_executed", code)


async def test_each_call_of_a_refused_batch_is_on_record(client):
    """Who tried, and for what: the one that is at fault may be any of them."""
    foreign = call("b", context={"allowed_paths_root": "bob/secrets"})
    answer = await client.post("/v1/tool-calls:batch", json={"calls": [call("a"), foreign, 7]})
    assert answer.json()["context"]["fields"][0]["field"].startswith("calls.1.context")
    items = (await client.get("/v1/audit")).json()["items"]
    assert [(one["id"], one["context"]["allowed_paths_root"]) for one in items] == [
        ("a", "ann/demo"), ("b", "bob/secrets"),
    ]  # fmt: skip


async def test_each_call_of_a_batch_that_is_too_long_is_on_record(client):
    """Likewise."""
    await client.post("/v1/tool-calls:batch", json={"calls": [call(name) for name in "abcde"]})
    items = (await client.get("/v1/audit")).json()["items"]
    assert [one["id"] for one in items] == [*"abcde"]


async def test_a_call_by_itself_is_on_record_whatever_it_says_of_others(client):
    """It is the call that is refused."""
    await client.post("/v1/tool-calls", json=call("a") | {"calls": [call("b")]})
    assert (await last_record(client))["id"] == "a"
