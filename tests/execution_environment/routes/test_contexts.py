"""On record over HTTP: calls that are refused before they are made, settlements, and by whose fence."""

import json

import httpx
import pytest

from execution_environment.app import build
from execution_environment.settings import Settings

SESSION, RUN = "ses_" + "1" * 32, "run_" + "2" * 32
CONTEXT = {
    "request_id": "req_1",
    "session_id": SESSION,
    "run_id": RUN,
    "user_id": "ann",
    "request_source": {"kind": "internal"},
    "allowed_paths_root": "ann/demo",
    "timeout": 5,
}


@pytest.fixture
async def client(tmp_path):
    """A client of the service."""
    app = build(Settings(data_dir=tmp_path / "data", service_token="secret", max_body=1000))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://x", headers={"Authorization": "Bearer secret"}
        ) as http,
    ):
        yield http


def body(call_id="a", fence=1, context=CONTEXT):
    """Return a change."""
    arguments = {"path": call_id.replace(":", "-"), "content": "1"}
    return {
        "id": call_id, "fence": fence, "tool": "write_file", "arguments": arguments, "context": context,
    }  # fmt: skip


def headers(fence=1, context=CONTEXT):
    """Return how a call without a body says who asks."""
    return {"X-Fence": str(fence), "X-Execution-Context": json.dumps(context)}


async def last_record(client):
    """Return what the trail has last."""
    return (await client.get("/v1/audit")).json()["items"][-1]


ANOTHERS = {**CONTEXT, "allowed_paths_root": "bob/secrets"}


@pytest.mark.parametrize("root", ["bob/secrets", "ann/../bob", "/etc", "ann/" + "x" * 300, 7])
async def test_a_call_for_a_root_that_it_may_not_have_is_on_record(client, root):
    """Who tried, and for what: such a call is what a trail is read for."""
    answer = await client.post("/v1/tool-calls", json=body(context={**CONTEXT, "allowed_paths_root": root}))  # fmt: skip
    assert answer.status_code == 422
    record = await last_record(client)
    assert (record["id"], record["tool"], record["fence"]) == ("a", "write_file", 1)
    assert (record["outcome"], record["code"]) == ("not_executed", "invalid_request")
    said = record["context"]
    assert (said["user_id"], said["session_id"], said["run_id"]) == ("ann", SESSION, RUN)
    assert said["allowed_paths_root"] == (root[:200] if isinstance(root, str) else None)


@pytest.mark.parametrize("call", [[], {}, {"id": 7, "fence": "x", "context": []}, "call"])
async def test_what_is_no_call_at_all_is_on_record(client, call):
    """Whatever was said instead of one, it is not lost, and no fault."""
    answer = await client.post("/v1/tool-calls", json=call, headers={"X-Request-ID": "odd"})
    assert answer.status_code == 422
    record = await last_record(client)
    assert (record["context"]["request_id"], record["code"]) == ("odd", "invalid_request")


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b'{"id": "a", "id": "b"}', "application/json", "malformed_request"),
        (b"{}", "text/plain", "unsupported_media_type"),
        (b" " * 2000, "application/json", "request_too_large"),
    ],
)
async def test_a_call_that_cannot_be_read_is_on_record(client, content, kind, code):
    """There is nothing to say of it but that it was refused, and under which request."""
    sent = {"Content-Type": kind, "X-Request-ID": "unread"}
    answer = await client.post("/v1/tool-calls", content=content, headers=sent)
    record = await last_record(client)
    assert (answer.json()["code"], record["code"]) == (code, code)
    assert (record["context"]["request_id"], record["outcome"]) == ("unread", "not_executed")


async def test_a_call_that_is_refused_in_the_making_is_on_record_once(client):
    """Its tool has put it there already."""
    for _ in range(2):
        await client.post("/v1/tool-calls", json=body())
    other = {**body(), "arguments": {"path": "b", "content": "1"}}
    assert (await client.post("/v1/tool-calls", json=other)).json()[
        "code"
    ] == "idempotency_conflict"
    items = (await client.get("/v1/audit")).json()["items"]
    assert [record["code"] for record in items] == [None, None, "idempotency_conflict"]


async def test_what_cannot_be_shown_does_not_spoil_the_trail(client):
    """Half a surrogate pair in a header: it is on record, and the record can be read."""
    said = '{"user_id": "\\ud800", "session_id": "x"}'
    answer = await client.get("/v1/files/bob/w/x", headers={"X-Execution-Context": said})
    record = await last_record(client)
    assert answer.json()["code"] == record["code"] == "malformed_request"
    assert (record["context"]["user_id"], record["context"]["session_id"]) == ("?", "x")


@pytest.mark.parametrize(
    ("method", "path", "tool"),
    [
        ("GET", "/v1/files/bob/secrets/x", "download_file"),
        ("PUT", "/v1/files/bob/secrets/x", "upload_file"),
        ("GET", "/v1/files/bob/S3CRETS/x", "download_file"),
    ],
)
@pytest.mark.parametrize("context", [CONTEXT, ANOTHERS])
async def test_a_file_of_another_user_that_is_refused_is_on_record(
    client, method, path, tool, context
):
    """Files have the context in a header; what was asked for is in the path."""
    answer = await client.request(method, path, headers=headers(context=context))
    assert answer.status_code == 422
    record = await last_record(client)
    said = record["context"]
    assert (record["tool"], record["outcome"]) == (tool, "not_executed")
    assert (said["user_id"], said["allowed_paths_root"]) == ("ann", "/".join(path.split("/")[3:5]))


async def test_every_settlement_is_on_record(client):
    """With who asked, and what had become of the call; one that is refused as well."""
    await client.post("/v1/tool-calls", json=body("done"))
    outcomes = []
    for call_id, context in (("done", CONTEXT), ("never", CONTEXT), ("never", ANOTHERS)):
        await client.delete(f"/v1/tool-calls/{call_id}", headers=headers(1, context))
        record = await last_record(client)
        outcomes.append((record["tool"], record["id"], record["outcome"], record["code"]))
        assert (record["context"]["user_id"], record["context"]["run_id"]) == ("ann", RUN)
    assert outcomes == [
        ("settle_call", "done", "executed", None),
        ("settle_call", "never", "not_executed", None),
        ("settle_call", "never", "not_executed", "invalid_request"),
    ]
    await client.delete("/v1/tool-calls/bare", headers={"X-Request-ID": "by-hand"})
    assert (await last_record(client))["context"]["request_id"] == "by-hand"


# Fences


async def test_a_stale_owner_cannot_settle_a_call(client):
    """It would poison the id for the owner that makes the call next."""
    await client.post("/v1/tool-calls", json=body(f"{RUN}:1:1", fence=7))
    refused = await client.delete(f"/v1/tool-calls/{RUN}:2:1", headers=headers(6))
    assert (refused.status_code, refused.json()["code"]) == (409, "fenced")
    assert refused.json()["context"] == {"limit": 7, "actual": 6}
    assert (await last_record(client))["code"] == "fenced"
    made = await client.post("/v1/tool-calls", json=body(f"{RUN}:2:1", fence=7))
    assert made.status_code == 200, made.text


async def test_a_settlement_holds_against_its_owner_and_not_against_the_next(client):
    """An owner that has lost its lease settles before the next one is seen here."""
    settled = await client.delete(f"/v1/tool-calls/{RUN}:1:1", headers=headers(6))
    assert settled.json()["outcome"] == "not_executed"
    late = await client.post("/v1/tool-calls", json=body(f"{RUN}:1:1", fence=6))
    assert (late.status_code, late.json()["code"]) == (409, "call_expired")
    made = await client.post("/v1/tool-calls", json=body(f"{RUN}:1:1", fence=7))
    assert made.status_code == 200, made.text
    told = await client.delete(f"/v1/tool-calls/{RUN}:1:1", headers=headers(7))
    assert told.json()["outcome"] == "executed"


async def test_a_settlement_without_a_session_holds_against_all(client):
    """Whoever asks by hand means the call, not an owner."""
    await client.delete(f"/v1/tool-calls/{RUN}:1:1", headers=headers(6))
    await client.delete(f"/v1/tool-calls/{RUN}:1:1")
    late = await client.post("/v1/tool-calls", json=body(f"{RUN}:1:1", fence=7))
    assert (late.status_code, late.json()["code"]) == (409, "call_expired")
