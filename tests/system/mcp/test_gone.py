"""Clients that go in the middle of a call: it has happened by then, or it never will."""

import asyncio
import secrets

import httpx
import pytest

from agentic import AgenticClient
from tests.system.mcp.clients import called, connected
from tests.system.mcp.holding import audited_outcomes, hold, is_under_way, let_go
from tests.system.services import wait_until

OLDER = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


@pytest.fixture
def pair(services):
    """Services of the test's own, whose execution environment it may hold."""
    return services()


def older(tool, arguments, key=None):
    """Return a call as a client with a handshake sends it."""
    meta = {} if key is None else {"_meta": {"agentic-framework/idempotency-key": key}}
    params = {"name": tool, "arguments": arguments, **meta}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, OLDER


def newer(tool, arguments, key=None):
    """Return a call of the newest revision."""
    return called(tool, arguments, key=key)


async def leave_in_the_middle(pair, request):
    """Send a call, and go before it is answered, as soon as the execution environment has it."""
    body, headers = request
    hold(pair.execution)
    try:
        async with httpx.AsyncClient(base_url=pair.main.url, trust_env=False) as http:
            sending = asyncio.create_task(http.post("/mcp/demo", json=body, headers=headers))
            await asyncio.to_thread(wait_until, lambda: is_under_way(pair.execution))
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    finally:
        let_go(pair.execution)


async def warm(pair):
    """Have the services know each other, so that what is sent next is the call."""
    async with connected(pair.main) as client:
        await client.call_tool("list_directory", {})


async def noted(pair):
    """Return the types of the events about calls, once those of two more calls are among them."""
    async with AgenticClient(pair.main.url) as client:
        [session] = (await client.sessions()).items
        kinds = []
        async with asyncio.timeout(20):
            async for event in client.events(session.id):
                if event.type.startswith("call."):
                    kinds.append((event.type, event.data["tool"]))
                    if event.data["tool"] == "get_file_info":
                        return kinds
    raise AssertionError(kinds)


@pytest.mark.parametrize("made", [older, newer])
async def test_call_whose_client_has_gone_is_settled(pair, made):
    """And what has happened is noted, whoever has heard of it."""
    await warm(pair)
    path = f"{secrets.token_hex(4)}.txt"
    await leave_in_the_middle(pair, made("append_file", {"path": path, "content": "x"}))
    async with connected(pair.main) as client:
        # behind the settlement, for it waits for the same execution environment
        async with asyncio.timeout(20):
            while (await audited_outcomes(pair, "append_file")) == []:
                await asyncio.sleep(0.05)
        await client.call_tool("get_file_info", {"path": path})
    has_happened = (pair.demo / path).exists()
    assert (("call.succeeded", "append_file") in await noted(pair)) == has_happened


@pytest.mark.parametrize("made", [older, newer])
async def test_call_is_sent_again_under_its_key_until_it_has_happened_once(pair, made):
    """A client that lost its connection knows nothing but its key."""
    await warm(pair)
    path, key = f"{secrets.token_hex(4)}.txt", secrets.token_hex(8)
    request = made("append_file", {"path": path, "content": "x"}, key)
    for _ in range(3):
        await leave_in_the_middle(pair, request)
    body, headers = request
    async with httpx.AsyncClient(base_url=pair.main.url, trust_env=False, timeout=60) as http:
        for _ in range(2):
            answer = (await http.post("/mcp/demo", json=body, headers=headers)).json()
            assert not answer["result"].get("isError"), answer
    assert (pair.demo / path).read_text() == "x"
