"""The doors as the official client meets them: in this process, over a store and scripted calls."""

from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from types import SimpleNamespace

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import SecretStr
from starlette.middleware import Middleware

from common.errors import ToolError
from common.tools import ToolSpec
from common.web.app import build_app
from orchestrator.mcp import route
from orchestrator.mcp.route import open_doors
from orchestrator.routes.dependencies import Services
from orchestrator.security.access import Access
from orchestrator.security.rate_limits import RateLimits, UserLimits
from orchestrator.settings import is_loopback
from orchestrator.streaming.connections import ConnectionManager
from tests.orchestrator.fakes import ScriptedExecutor
from tests.orchestrator.routes.planning import planners

URL = "http://127.0.0.1:1"
SCHEMA = {"type": "object", "properties": {"path": {"type": "string", "x-touches": "path"}}}
TOOLS = {
    name: ToolSpec(
        name=name, description="d", effect="read", arguments_schema=SCHEMA, output_schema=SCHEMA
    )
    for name in ("find_files", "read_file")
}
FILE = {"content": "eA==", "size": 1, "truncated": False}


@pytest.fixture
async def enter(store):
    """Return what opens a client at a door, over an execution environment with these outcomes."""
    manager = ConnectionManager(store)
    ends = []

    @asynccontextmanager
    async def entered(door="/mcp/demo", *outcomes, era="auto"):
        access = Middleware(Access, api_keys={}, any_host=False, is_local=is_loopback)
        app = build_app(
            title="t", source="orchestrator", max_body=10_000, routers=[route.router],
            lifespan=lambda _: nullcontext(), middleware=[access],
        )  # fmt: skip

        async def tools():
            return TOOLS

        upstream = SimpleNamespace(calls=ScriptedExecutor(*outcomes))
        app.state.services = Services(
            store, planners(), SimpleNamespace(tools=tools), manager,
            RateLimits(store.rate_limits, UserLimits()), upstream, "never", timedelta(seconds=5),
        )  # fmt: skip
        app.state.doors = open_doors(app.state.services, SecretStr("s"), 10_000)
        ends.append(app.state.doors.aclose)
        transport = httpx2.ASGITransport(app)
        async with (
            httpx2.AsyncClient(transport=transport) as http,
            Client(streamable_http_client(URL + door, http_client=http), mode=era) as client,
        ):
            yield client

    yield entered
    for end in ends:
        await end()
    manager.close()
    await manager.aclose()


@pytest.fixture(params=["auto", "legacy"])
def era(request):
    """Each era of the protocol in turn."""
    return request.param


async def test_workspaces_door_has_its_tools_and_its_files(enter, era):
    """Of an unknown tool it says so, as a result."""
    page = {"entries": [{"path": "a b", "size": 1}], "next_cursor": None}
    async with enter("/mcp/demo", page, FILE, era=era) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == sorted(TOOLS)
        [file] = (await client.list_resources()).resources
        assert file.uri == "file:///a%20b"
        assert (await client.read_resource(file.uri)).contents[0].text == "x"
        unknown = await client.call_tool("dance", {})
        assert unknown.structured_content["code"] == "tool_not_found"


@pytest.mark.parametrize(
    ("door", "listing"),
    [("/mcp/demo", "list_tools"), ("/mcp/demo", "list_resource_templates"), ("/mcp", "list_tools")],
)
async def test_list_of_one_page_has_no_other(enter, era, door, listing):
    """Whoever asks for it would begin anew, for ever."""
    async with enter(door, era=era) as client:
        with pytest.raises(MCPError, match="one page") as failure:
            await getattr(client, listing)(cursor="x")
    assert failure.value.code == -32602


async def test_file_that_is_not_there_is_the_protocols_error(enter, era):
    """By the code that its revision has for that."""
    async with enter("/mcp/demo", ToolError("path_not_found", "no"), era=era) as client:
        with pytest.raises(MCPError) as failure:
            await client.read_resource("file:///a")
    assert failure.value.code == (-32002 if era == "legacy" else -32602)
    assert failure.value.data["uri"] == "file:///a"


async def test_door_for_runs_starts_and_shows_and_cancels_them(enter, era):
    """Nobody executes what is started here: it stays queued."""
    async with enter("/mcp", era=era) as client:
        asked = {"workspace": "demo", "goal": "list files", "wait": 0.05}
        run = (await client.call_tool("start_run", asked)).structured_content
        assert run["status"] == "queued"
        which = {"session_id": run["session_id"], "run_id": run["run_id"]}
        assert (await client.call_tool("run_status", which)).structured_content == run
        for verb, more in (
            ("approve", {"plan_revision": 1, "decision": "approve"}),
            ("send_message", {"text": "x"}),
        ):
            refused = await client.call_tool(verb, which | more)
            assert refused.structured_content["code"] == "invalid_state"
        cancelled = await client.call_tool("cancel_run", which)
        assert cancelled.structured_content["status"] == "cancelled"


@pytest.mark.parametrize(
    ("verb", "arguments", "code"),
    [
        ("start_run", {"goal": "x"}, "invalid_arguments"),
        ("start_runs", {}, "tool_not_found"),
        ("run_status", {"session_id": "ses_" + "0" * 32, "run_id": "run_" + "0" * 32}, "session_not_found"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_a_tools_error(enter, verb, arguments, code):
    """With what is wrong."""
    async with enter("/mcp") as client:
        answer = await client.call_tool(verb, arguments)
    assert answer.structured_content["code"] == code
    assert code in answer.content[0].text
