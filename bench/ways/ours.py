"""Our own way: tool calls, straight to the execution environment."""

import itertools
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from agentic.local.stack import Stack
from bench.rounds import Request
from bench.ways.way import CONTENT, sent

Arguments = Callable[[], dict[str, Any]]


class Ours:
    """Tool calls, straight to the execution environment."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    def read(self, place: str) -> Request:
        """Read a file."""
        return self.calling("read_file", place, lambda: {"path": "file.txt"})

    def write(self, place: str) -> Request:
        """Write a file durably, once."""

        def arguments() -> dict[str, Any]:
            content = secrets.token_hex(8) + CONTENT
            return {"path": "written.txt", "content": content, "mode": "upsert"}

        return self.calling("write_file", place, arguments)

    def calling(self, tool: str, place: str, arguments: Arguments) -> Request:
        """Call a tool in a place, each time with what `arguments` returns."""
        asking = self._asking(tool, place)

        async def request() -> None:
            await asking(arguments())

        return request

    async def result(self, tool: str, place: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool once, and return what it says."""
        found: dict[str, Any] = json.loads(await self._asking(tool, place)(arguments))["output"]
        return found

    def _asking(self, tool: str, place: str) -> Callable[[dict[str, Any]], Awaitable[bytes]]:
        run, numbers = f"run_{secrets.token_hex(16)}", itertools.count(1)
        context = {
            "request_id": "bench",
            "user_id": "local",
            "request_source": {"kind": "internal"},
            "allowed_paths_root": f"local/{place}",
            "session_id": f"ses_{secrets.token_hex(16)}",
            "run_id": run,
            "timeout": 30,
        }

        async def ask(arguments: dict[str, Any]) -> bytes:
            call = {"id": f"{run}:{next(numbers)}:1", "fence": 1, "tool": tool}
            body = call | {"arguments": arguments, "context": context}
            return await sent(self._http, "/v1/tool-calls", body)

        return ask


@asynccontextmanager
async def straight(stack: Stack) -> AsyncIterator[Ours]:
    """Yield what calls the execution environment of a stack."""
    shown = {"Authorization": f"Bearer {stack.service_token}"}
    async with aiohttp.ClientSession(stack.execution_url, headers=shown) as http:
        yield Ours(http)
