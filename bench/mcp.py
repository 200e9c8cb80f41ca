"""What a call costs over MCP: against the same through REST, and against a peer's server of files.

All ways are measured in turn, round after round, by clients that cost little: aiohttp, and lines of JSON.
"""

import asyncio
import json
import secrets
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from rich.table import Table

from agentic.local.stack import running_stack

ROUNDS = 20
EACH = 20
"""Requests of one way in a round."""
CONTENT = "x" * 1023 + "\n"
PEER = "mcp-server-filesystem"
"""The program of the npm package @modelcontextprotocol/server-filesystem."""
NEWER, OLDER = "2026-07-28", "2025-06-18"

Request = Callable[[], Awaitable[None]]
Ways = dict[str, tuple[Request, Request]]
"""How a file can be read, and written."""


async def measure_mcp(data_dir: Path) -> Table:
    """Measure every way there is on this machine; return the table."""
    peer_dir = data_dir / "peer"
    peer_dir.mkdir(parents=True)
    async with (
        running_stack(data_dir / "stack") as stack,
        aiohttp.ClientSession(stack.url) as http,
        _peer(peer_dir) as peer,
    ):
        session = (await _json(http, "/v1/sessions", {"workspace": "bench"}))["id"]
        ways = {
            "REST: a run of one step, Prefer: wait": _runs(http, session),
            "REST: a file's own route": _files(http, session),
            f"/mcp, {NEWER}": _calls(http, NEWER),
            f"/mcp, {OLDER}": _calls(http, OLDER),
        } | peer
        return table(await _measured(ways))


async def _measured(ways: Ways) -> dict[str, tuple[list[float], list[float]]]:
    """Return the milliseconds of reads and writes of each way; a round before the first is not counted."""
    taken: dict[str, tuple[list[float], list[float]]] = {way: ([], []) for way in ways}
    for number in range(ROUNDS + 1):
        for way, (read, write) in ways.items():
            for request, so_far in ((write, taken[way][1]), (read, taken[way][0])):
                so_far.extend(await _timed(request) if number else await _warm(request))
    return taken


async def _timed(request: Request) -> list[float]:
    taken = []
    for _ in range(EACH):
        started = time.perf_counter()
        await request()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


async def _warm(request: Request) -> list[float]:
    await request()
    return []


def table(taken: dict[str, tuple[list[float], list[float]]]) -> Table:
    """Return the medians, each also as a ratio to that of the first way."""
    shown = Table(title=f"1 KB over MCP: p50 of {ROUNDS} rounds of {EACH}, in turn")
    for column in ("way", "read, ms", "to the first", "write, ms", "to the first"):
        shown.add_column(column, justify="left" if column == "way" else "right")
    floors = [statistics.median(one) for one in next(iter(taken.values()))]
    for way, both in taken.items():
        cells = []
        for one, floor in zip(both, floors, strict=True):
            median = statistics.median(one)
            cells += [f"{median:.2f}", f"{median / floor:.2f}"]
        shown.add_row(way, *cells)
    if not any(way.startswith(PEER) for way in taken):
        shown.caption = (
            f"{PEER} is not installed here: npm install @modelcontextprotocol/server-filesystem"
        )
    return shown


async def _json(http: aiohttp.ClientSession, path: str, body: Any, **headers: str) -> Any:
    async with http.post(path, json=body, headers=headers) as answer:
        answer.raise_for_status()
        return await answer.json(content_type=None)


def _writing() -> dict[str, Any]:
    return {"path": "new.txt", "content": secrets.token_hex(8) + CONTENT, "mode": "upsert"}


def _runs(http: aiohttp.ClientSession, session: str) -> tuple[Request, Request]:
    async def run(tool: str, arguments: dict[str, Any]) -> None:
        plan = {"steps": [{"name": "call", "tool": tool, "arguments": arguments}]}
        done = await _json(http, f"/v1/sessions/{session}/runs", {"plan": plan}, Prefer="wait=10")
        assert done["status"] == "succeeded", done

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
        answer = await _json(http, "/mcp/bench", body, **headers)
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
        process.terminate()
        await process.wait()


async def _over_lines(
    process: asyncio.subprocess.Process, directory: Path
) -> tuple[Request, Request]:
    assert process.stdin is not None
    assert process.stdout is not None
    sent, told = process.stdin, process.stdout

    async def ask(method: str, params: dict[str, Any]) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        sent.write(json.dumps(body).encode() + b"\n")
        while "id" not in (answer := json.loads(await told.readline())) or "method" in answer:
            pass
        result: dict[str, Any] = answer["result"]
        assert not result.get("isError"), result
        return result

    client = {"name": "bench", "version": "1"}
    hello = {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": client}
    await ask("initialize", hello)
    sent.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
    path = str(directory / "new.txt")

    async def read() -> None:
        await ask("tools/call", {"name": "read_text_file", "arguments": {"path": path}})

    async def write() -> None:
        arguments = {"path": path, "content": _writing()["content"]}
        await ask("tools/call", {"name": "write_file", "arguments": arguments})

    return read, write
