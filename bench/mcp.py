"""What a call costs over MCP: against the same through REST, and against a peer's server of files.

All ways are measured in turn, round after round, by clients that cost little: aiohttp, and lines of JSON.
"""

import asyncio
import json
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from agentic.local.stack import running_stack
from bench.options import Options
from bench.report import Line, Report
from bench.rounds import Request, one_by_one
from bench.runs import one_run, opened_session
from bench.ways.serving import stopped
from bench.ways.way import CONTENT, sent

EACH = 20
PEER = "mcp-server-filesystem"
"""The program of the npm package @modelcontextprotocol/server-filesystem."""
MISSING = f"{PEER} is not installed here: npm install @modelcontextprotocol/server-filesystem"
NEWER, OLDER = "2026-07-28", "2025-06-18"

Ways = Mapping[str, tuple[Request, Request]]
"""How a file can be read, and written."""
Ask = Callable[[str, dict[str, Any]], Awaitable[None]]


async def measure_mcp(directory: Path, options: Options) -> list[Report]:
    """Measure every way there is on this machine."""
    peer_dir = directory / "peer"
    peer_dir.mkdir(parents=True)
    async with (
        running_stack(directory / "stack") as stack,
        aiohttp.ClientSession(stack.url) as http,
        _peer(peer_dir) as peer,
    ):
        session = await opened_session(http, "bench")
        ways = {
            "REST: a run of one step, Prefer: wait": _runs(http, session),
            "REST: a file's own route": _files(http, session),
            f"/mcp, {NEWER}": _calls(http, NEWER),
            f"/mcp, {OLDER}": _calls(http, OLDER),
            **peer,
        }
        return [await _report(ways, options.rounds, "" if peer else MISSING)]


async def _report(ways: Ways, rounds: int, note: str) -> Report:
    """Measure reads and writes of each way, beside those of the first."""
    for _, write in ways.values():
        await write()
    kinds = ("read", "write")
    requests = {
        f"{kind}, {way}": both[number]
        for number, kind in enumerate(kinds)
        for way, both in ways.items()
    }
    figures = list((await one_by_one(requests, rounds, EACH)).values())
    lines = []
    for start in (0, len(ways)):
        first, *others = figures[start : start + len(ways)]
        lines += [Line(first), *(Line(figure, first) for figure in others)]
    return Report("1 KB over MCP; the floor is the first way", lines, note)


def _writing() -> dict[str, Any]:
    return {"path": "new.txt", "content": secrets.token_hex(8) + CONTENT, "mode": "upsert"}


def _runs(http: aiohttp.ClientSession, session: str) -> tuple[Request, Request]:
    async def run(tool: str, arguments: dict[str, Any]) -> None:
        await one_run(http, session, [{"name": "call", "tool": tool, "arguments": arguments}])

    return (lambda: run("read_file", {"path": "new.txt"}), lambda: run("write_file", _writing()))


def _files(http: aiohttp.ClientSession, session: str) -> tuple[Request, Request]:
    path = f"/v1/sessions/{session}/files/new.txt"

    async def read() -> None:
        async with http.get(path) as answer:
            assert len(await answer.read()) > len(CONTENT)

    async def write() -> None:
        content = _writing()["content"]
        async with http.put(path, data=content.encode()) as answer:
            answer.raise_for_status()
            await answer.read()

    return read, write


def _calls(http: aiohttp.ClientSession, revision: str) -> tuple[Request, Request]:
    async def call(tool: str, arguments: dict[str, Any]) -> None:
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        headers = {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": revision,
        }
        if revision == NEWER:
            headers |= {"Mcp-Method": "tools/call", "Mcp-Name": tool}
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": revision,
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = json.loads(await sent(http, "/mcp/bench", body, **headers))
        assert not answer["result"].get("isError"), answer

    return (lambda: call("read_file", {"path": "new.txt"}), lambda: call("write_file", _writing()))


@asynccontextmanager
async def _peer(directory: Path) -> AsyncIterator[Ways]:
    """Yield the peer's way, if it is installed: it writes neither durably nor once."""
    program = shutil.which(PEER)
    if program is None:
        yield {}
        return
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        program, str(directory), stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield {f"{PEER}, over stdio": await _over_lines(process, directory)}
    finally:
        await stopped(process)


async def _over_lines(
    process: asyncio.subprocess.Process, directory: Path
) -> tuple[Request, Request]:
    ask = await _greeted(process)
    path = str(directory / "new.txt")

    async def read() -> None:
        await ask("tools/call", {"name": "read_text_file", "arguments": {"path": path}})

    async def write() -> None:
        arguments = {"path": path, "content": _writing()["content"]}
        await ask("tools/call", {"name": "write_file", "arguments": arguments})

    return read, write


async def _greeted(process: asyncio.subprocess.Process) -> Ask:
    """Return what asks the peer for one thing after the other."""
    assert process.stdin is not None
    assert process.stdout is not None
    pipe, told = process.stdin, process.stdout

    async def ask(method: str, params: dict[str, Any]) -> None:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        pipe.write(json.dumps(body).encode() + b"\n")
        while "id" not in (answer := json.loads(await told.readline())) or "method" in answer:
            pass
        assert not answer["result"].get("isError"), answer

    client = {"name": "bench", "version": "1"}
    hello = {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": client}
    await ask("initialize", hello)
    pipe.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
    return ask
