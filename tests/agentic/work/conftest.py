"""Commands' work against an orchestrator that answers by path."""

from contextlib import asynccontextmanager

import httpx
import pytest

from agentic import AgenticClient
from common.errors import error
from tests.agentic.fakes import problem


class Routes(httpx.AsyncBaseTransport):
    """Answers `METHOD path` with a document, a list in pages of two, or a response; keeps what was asked."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []

    async def handle_async_request(self, request):
        """Answer, or say that there is no such run: what most tests look for elsewhere."""
        asked = f"{request.method} {request.url.path}"
        self.asked.append(asked)
        answer = self.answers.get(asked)
        if isinstance(answer, list):
            return self._page(answer, int(request.url.params.get("cursor", 0)))
        if isinstance(answer, httpx.Response):
            return answer
        if answer is None:
            return problem(error("run_not_found", "There is no such run"))
        return httpx.Response(200, content=answer.model_dump_json())

    def _page(self, items, start):
        page = [item.model_dump(mode="json") for item in items[start : start + 2]]
        more = str(start + 2) if start + 2 < len(items) else None
        name = "entries" if items and hasattr(items[0], "path") else "items"
        return httpx.Response(200, json={name: page, "next_cursor": more})


class Target:
    """Where the work's requests go."""

    def __init__(self, routes):
        self.routes = routes

    @asynccontextmanager
    async def client(self):
        """Yield a client of the routes."""
        async with AgenticClient("http://127.0.0.1:8000", transport=self.routes) as client:
            yield client


@pytest.fixture
def target():
    """Make targets whose orchestrator answers as told."""
    return lambda **answers: Target(Routes(answers.get("routes", answers)))
