"""An orchestrator on the loop that a test measures, whose clients are in other threads."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import uvicorn

from common.web.server import configure
from orchestrator.app import build
from orchestrator.settings import Settings
from tests.system.services import TOKEN, free_port

JSON = {"Content-Type": "application/json"}


class Live:
    """An orchestrator in this process, and a client of it in threads."""

    def __init__(self, url, http):
        self.url, self._http = url, http

    async def send(self, method, path, content=None, **headers):
        """Send a request to the REST API from another thread."""
        return await self.send_to(method, f"/v1{path}", content, headers)

    async def send_to(self, method, path, content, headers):
        """Send a request from another thread."""
        return await asyncio.to_thread(
            self._http.request,
            method,
            f"{self.url}{path}",
            content=content,
            headers=headers | JSON,
        )

    async def session(self):
        """Open a session; return its path."""
        return f"/sessions/{(await self.send('POST', '/sessions', b'{}')).json()['id']}"


@asynccontextmanager
async def live_on(directory, execution_url):
    """Yield an orchestrator on the running loop, with its store in a directory."""
    settings = Settings(
        data_dir=directory, execution_url=execution_url, service_token=TOKEN, port=free_port()
    )
    server = uvicorn.Server(configure(build(settings), settings))
    serving = asyncio.create_task(server.serve())
    with httpx.Client(trust_env=False, timeout=100) as http:
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.01)
        yield Live(f"http://127.0.0.1:{settings.port}", http)
    server.should_exit = True
    await serving
