"""An orchestrator that is told to end while a call is under way."""

import asyncio
import signal
import time

import httpx
import pytest

from tests.system.mcp.clients import called
from tests.system.mcp.holding import hold, is_under_way, let_go
from tests.system.services import wait_until

GRACE = 2
SLACK = 6
"""Seconds that a busy machine may add to it: fewer than a settlement is tried for."""
APPEND = called("append_file", {"path": "a", "content": "x"}, key="once")
OLDER = (
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": APPEND[0]["params"]},
    {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"},
)
"""The same call as a client with a handshake sends it."""


@pytest.fixture
def pair(services):
    """Services of the test's own."""
    return services(orchestrator_env={"ORCHESTRATOR_SHUTDOWN_GRACE": str(GRACE)})


async def send(pair, request=APPEND):
    """Send a call; return its result."""
    body, headers = request
    async with httpx.AsyncClient(base_url=pair.main.url, trust_env=False, timeout=60) as http:
        answer = await http.post("/mcp/demo", json=body, headers=headers)
    return answer.raise_for_status().json()["result"]


async def told_to_end_in_the_middle(pair, request=APPEND):
    """Send a call, and SIGTERM once it is under way; return the call that is being sent."""
    await send(pair, called("list_directory", {}))  # they know each other from now on
    hold(pair.execution)
    sending = asyncio.create_task(send(pair, request))
    await asyncio.to_thread(wait_until, lambda: is_under_way(pair.execution))
    pair.main.process.send_signal(signal.SIGTERM)
    return sending


async def test_call_that_is_done_within_the_grace_is_answered(pair):
    """Whoever is being served is served to the end."""
    sending = await told_to_end_in_the_middle(pair)
    let_go(pair.execution)
    assert not (await sending).get("isError")
    assert await asyncio.to_thread(pair.main.process.wait, GRACE + SLACK) == 0
    assert (pair.demo / "a").read_text() == "x"


@pytest.mark.parametrize("sent", [APPEND, OLDER], ids=["newer", "older"])
async def test_end_is_within_the_grace_and_the_call_happens_once_afterwards(pair, sent):
    """One whose execution environment says nothing holds up no end; its key still makes it one call."""
    started = time.monotonic()
    sending = await told_to_end_in_the_middle(pair, sent)
    try:
        assert await asyncio.to_thread(pair.main.process.wait, GRACE + SLACK) == 0
    finally:
        let_go(pair.execution)
        [lost] = await asyncio.gather(sending, return_exceptions=True)
    assert time.monotonic() - started >= GRACE
    assert isinstance(lost, httpx.HTTPError)
    await asyncio.to_thread(pair.main.start)
    for _ in range(2):
        assert not (await send(pair)).get("isError")
    assert (pair.demo / "a").read_text() == "x"
