"""The doors beside REST, in containers: the official MCP client, and a run as AG-UI's events."""

import json
import secrets

import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.live.stack import KEY

HEADERS = {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_mcp_client_works_on_a_workspace(stack, client, era):
    """And what it has changed is where the user's other clients find it."""
    workspace = f"w-{secrets.token_hex(4)}"
    async with (
        httpx2.AsyncClient(headers=HEADERS, trust_env=False, timeout=60) as http,
        Client(
            streamable_http_client(f"{stack.url}/mcp/{workspace}", http_client=http), mode=era
        ) as mcp,
    ):
        wrote = await mcp.call_tool("write_file", {"path": "a b.txt", "content": "over MCP\n"})
        read = await mcp.read_resource("file:///a%20b.txt")
    assert wrote.meta["agentic-framework/receipts"][0]["path"] == "a b.txt"
    assert read.contents[0].text == "over MCP\n"
    session = await client.create_session(workspace)
    async with client.files.read(session.id, "a b.txt") as download:
        assert b"".join([piece async for piece in download.pieces()]) == b"over MCP\n"


async def test_mcp_without_a_key_is_refused(stack):
    """As everywhere."""
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as http:
        answer = await http.post("/mcp/demo", json={})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_run_is_told_as_ag_ui_events(stack):
    """From its start to its end."""
    body = {
        "threadId": secrets.token_hex(4),
        "runId": "run-1",
        "messages": [{"id": "1", "role": "user", "content": "create file x.txt with 'hello'"}],
    }
    async with httpx.AsyncClient(
        base_url=stack.url, headers=HEADERS, trust_env=False, timeout=60
    ) as http:
        answer = await http.post(f"/agui/w-{secrets.token_hex(4)}", json=body)
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-1]) == ("RUN_STARTED", "RUN_FINISHED")
    assert "TOOL_CALL_RESULT" in kinds
