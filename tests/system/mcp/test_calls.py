"""Calls of tools over MCP through both services, by the official client of either era."""

import asyncio
import json
import secrets

import httpx
import pytest
from mcp.shared.exceptions import MCPError

from tests.system.mcp.clients import called, connected, posted
from tests.system.services import TOKEN

KEY = "agentic-framework/idempotency-key"


def name(suffix=".txt"):
    """Return the name of a file that no other test has."""
    return secrets.token_hex(6) + suffix


async def test_every_tool_is_listed_with_its_schemas_and_what_its_effect_means(mcp, shared):
    """A client decides by them whom it asks, and checks what comes."""
    async with mcp() as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        async with httpx.AsyncClient(base_url=shared.main.url, trust_env=False) as http:
            known = {spec["name"]: spec for spec in (await http.get("/v1/tools")).json()}
        assert listed.keys() == known.keys()
        for tool, spec in known.items():
            hints = listed[tool].annotations
            assert hints.read_only_hint == (spec["effect"] == "read")
            assert hints.destructive_hint == (spec["effect"] == "destructive")
            assert hints.idempotent_hint == (spec["effect"] == "read")
            assert listed[tool].input_schema["type"] == "object"
            assert listed[tool].output_schema == spec["output_schema"]
        assert "expected_sha256" not in listed["write_file"].input_schema["properties"]


async def test_what_is_written_is_read_and_told_as_structure_and_as_text(mcp, shared):
    """And a change comes with its receipts."""
    async with mcp() as client:
        path = name()
        wrote = await client.call_tool("write_file", {"path": path, "content": "one\n"})
        [receipt] = wrote.meta["agentic-framework/receipts"]
        assert (receipt["path"], receipt["operation"], receipt["size"]) == (path, "create", 4)
        assert (shared.demo / path).read_text() == "one\n"
        read = await client.call_tool("read_file", {"path": path})
        assert not read.is_error
        assert read.structured_content["content"] == "one\n"
        assert json.loads(read.content[0].text) == read.structured_content
        assert "agentic-framework/receipts" not in (read.meta or {})


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "hint"),
    [
        ("read_file", {"path": "no/such"}, "path_not_found", "parent"),
        ("read_file", {"path": "../../etc/passwd"}, "path_not_allowed", ""),
        ("read_file", {}, "invalid_arguments", ""),
        ("read_fil", {"path": "x"}, "tool_not_found", "read_file"),
    ],
)
async def test_error_is_a_tools_and_keeps_code_hint_and_outcome(mcp, tool, arguments, code, hint):
    """A model is shown results, and no errors of a protocol."""
    async with mcp() as client:
        answer = await client.call_tool(tool, arguments)
        assert answer.is_error
        problem = answer.structured_content
        assert (problem["code"], problem["outcome"]) == (code, "not_executed")
        assert hint in problem["hint"]
        text = answer.content[0].text
        assert text.startswith(f"{code}: {problem['detail']}")
        assert problem["hint"] in text
        assert "not_executed" in text


async def test_key_makes_a_call_the_same_one(mcp, shared):
    """Once more it has happened; another call has another key."""
    async with mcp() as client:
        path, meta = name(), {KEY: f"key-{secrets.token_hex(8)}"}
        arguments = {"path": path, "content": "x"}
        first = await client.call_tool("append_file", arguments, meta=meta)
        again = await client.call_tool("append_file", arguments, meta=meta)
        assert (shared.demo / path).read_text() == "x"
        assert again.meta["agentic-framework/call"]["replayed"]
        assert again.meta["agentic-framework/receipts"] == first.meta["agentic-framework/receipts"]
        other = await client.call_tool("append_file", {**arguments, "content": "y"}, meta=meta)
        assert other.structured_content["code"] == "idempotency_conflict"
        assert (shared.demo / path).read_text() == "x"


async def test_calls_without_a_key_are_as_many_as_are_sent(mcp, shared):
    """Request ids begin at 1 in every process: they say nothing."""
    async with mcp() as client:
        path = name()
        for _ in range(2):
            await client.call_tool("append_file", {"path": path, "content": "x"})
        assert (shared.demo / path).read_text() == "xx"


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, 7], ids=["empty", "blank", "long", "number"])
async def test_key_that_is_none_is_refused(mcp, key):
    """Nothing is made of it in silence."""
    async with mcp() as client:
        answer = await client.call_tool(
            "write_file", {"path": name(), "content": ""}, meta={KEY: key}
        )
        assert answer.structured_content["code"] == "invalid_request"


async def test_call_is_in_the_sessions_events_and_on_the_audit_trail(shared, era, client):
    """Who asks, from where, by which door."""
    path, workspace = name(), f"w-{secrets.token_hex(4)}"
    async with connected(shared.main, workspace, era) as mcp:
        wrote = await mcp.call_tool("write_file", {"path": path, "content": "x"})
        await mcp.call_tool("read_file", {"path": "nope"})
    sessions = (await client.sessions()).items
    [session] = [session for session in sessions if session.workspace == workspace]
    events = await first_events(client, session.id, 3)
    assert [event.type for event in events] == ["session.created", "call.succeeded", "call.failed"]
    assert events[1].data["tool"] == "write_file"
    assert events[1].data["receipts"] == wrote.meta["agentic-framework/receipts"]
    assert events[2].data["error"]["code"] == "path_not_found"
    records = await audited(shared, session.id)
    assert {record["tool"] for record in records} == {"write_file", "read_file"}
    assert {record["context"]["request_source"]["kind"] for record in records} == {"mcp"}


async def first_events(client, session_id, count):
    """Return a session's first events."""
    found = []
    async with asyncio.timeout(20):
        async for event in client.events(session_id):
            found.append(event)
            if len(found) == count:
                return found
    raise AssertionError(found)


async def audited(shared, session_id):
    """Return what the audit trail has of a session."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=shared.execution.url, headers=headers) as http:
        answer = await http.get("/v1/audit", params={"session_id": session_id})
    return answer.json()["items"]


async def test_protocol_is_not_at_another_methods_or_paths(raw):
    """There is no stream to open, and no session to end."""
    assert (await raw.get("/mcp/demo")).json()["code"] == "method_not_allowed"
    assert (await raw.delete("/mcp/demo")).json()["code"] == "method_not_allowed"
    body, headers = posted("tools/list")
    assert (await raw.post("/mcp/demo/", json=body, headers=headers)).status_code == 404
    assert (await raw.post("/mcp/No", json=body, headers=headers)).json()[
        "code"
    ] == "invalid_request"


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":"\\ud800"}', b"[" * 500 + b"]" * 500],
    ids=["cut", "twice", "nan", "surrogate", "deep"],
)
async def test_body_that_two_parsers_read_differently_is_no_json(raw, body):
    """It is told as the protocol tells it, with the problem as everywhere."""
    _, headers = posted("tools/list")
    answer = await raw.post(
        "/mcp/demo", content=body, headers={**headers, "Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["data"]["code"]) == (-32700, "malformed_request")


@pytest.mark.parametrize("revision", ["2025-06-18", "2026-07-28"])
@pytest.mark.parametrize(
    "body",
    [
        [{"jsonrpc": "2.0", "id": 1, "method": "ping"}],
        5,
        {"id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": ["secret"]},
    ],
    ids=["batch", "number", "unversioned", "null id", "boolean id", "list of params"],
)
async def test_body_that_is_no_message_is_refused(raw, body, revision):
    """A request whose id is none would wait for ever for an answer; nothing of it is echoed."""
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": revision}
    answer = await raw.post("/mcp/demo", json=body, headers=headers)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["data"]["code"]) == (-32600, "invalid_request")
    assert error["data"]["outcome"] == "not_executed"
    assert "secret" not in answer.text


async def test_wrong_parameters_are_named(raw):
    """Whoever has sent them finds what to mend."""
    body, headers = posted("resources/list", {"cursor": 5})
    error = (await raw.post("/mcp/demo", json=body, headers=headers)).json()["error"]
    assert (error["code"], error["data"]["code"]) == (-32602, "invalid_request")
    assert [field["field"] for field in error["data"]["context"]["fields"]] == ["params.cursor"]


async def test_body_that_is_too_long_or_of_another_kind_is_refused(raw):
    """Before anything of it is parsed."""
    body, headers = called("write_file", {"path": "big", "content": "x" * 10 * 1024 * 1024})
    answer = await raw.post("/mcp/demo", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    text = {**headers, "Content-Type": "text/plain"}
    answer = await raw.post("/mcp/demo", content=b"{}", headers=text)
    assert answer.json()["code"] == "unsupported_media_type"


async def test_unknown_method_and_revision_are_the_protocols_errors(raw):
    """A client that looks for what there is must be told in its own words."""
    body, headers = posted("tools/dance")
    answer = await raw.post("/mcp/demo", json=body, headers=headers)
    assert answer.json()["error"]["code"] == -32601
    body, headers = posted("tools/list")
    answer = await raw.post(
        "/mcp/demo", json=body, headers={**headers, "MCP-Protocol-Version": "2031-01-01"}
    )
    assert answer.status_code == 400
    assert "error" in answer.json()


async def test_web_pages_and_foreign_hosts_are_refused(raw):
    """Without keys, any page that this machine's user opens could call tools."""
    body, headers = called("read_file", {"path": "x"})
    for foreign in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        answer = await raw.post("/mcp/demo", json=body, headers={**headers, **foreign})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_error_of_the_protocol_is_raised_by_the_client(mcp):
    """What is no call of a tool fails as the protocol has it."""
    async with mcp() as client:
        with pytest.raises(MCPError):
            await client.get_prompt("none")
