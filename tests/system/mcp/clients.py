"""Official clients of both eras, and raw requests as they would send them."""

from contextlib import asynccontextmanager

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

ERAS = ("auto", "legacy")
"""What the client is told for the newest revision, and for those with a handshake."""
REVISION = "2026-07-28"
ANN, BOB = "key-of-ann", "key-of-bob"


@asynccontextmanager
async def connected(service, workspace="demo", era="auto", key=None, said=None):
    """Yield a client of a workspace's door; `said`: what its user answers to a form (None: it shows none).

    `asked` of it are the messages that its user was shown.
    """
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    asked = []

    async def answer(_context, params):
        asked.append(params.message)
        return said(len(asked)) if callable(said) else said

    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(
            streamable_http_client(f"{service.url}/mcp/{workspace}", http_client=http),
            mode=era,
            elicitation_callback=None if said is None else answer,
        ) as client,
    ):
        client.asked = asked
        yield client


def approve():
    """Return what a user says who approves."""
    return ElicitResult(action="accept", content={"decision": "approve"})


def reject(reason=None):
    """Return what a user says who rejects."""
    content = {"decision": "reject"} if reason is None else {"decision": "reject", "reason": reason}
    return ElicitResult(action="accept", content=content)


def posted(method, params=None, *, name=None, number=1, forms=False, meta=None):
    """Return a request of the newest revision: its body and its headers."""
    envelope = {
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": (
            {"elicitation": {"form": {}}} if forms else {}
        ),
        **(meta or {}),
    }
    body = {
        "jsonrpc": "2.0",
        "id": number,
        "method": method,
        "params": {**(params or {}), "_meta": envelope},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": REVISION,
        "Mcp-Method": method,
    }
    return body, headers if name is None else {**headers, "Mcp-Name": name}


def called(tool, arguments, *, key=None, **more):
    """Return a call of a tool: its body and its headers."""
    meta = {} if key is None else {"agentic-framework/idempotency-key": key}
    params = {"name": tool, "arguments": arguments, **more.pop("params", {})}
    return posted("tools/call", params, name=tool, meta=meta, **more)
