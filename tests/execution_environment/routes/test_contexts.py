"""On record over HTTP: calls that are refused before they are made."""

import pytest

from tests.execution_environment.routes.conftest import (
    ANOTHERS,
    CONTEXT,
    RUN,
    SESSION,
    body,
    headers,
    last_record,
)


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


async def test_a_context_that_cannot_be_shown_does_not_spoil_the_trail(client):
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
