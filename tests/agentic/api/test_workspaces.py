"""Workspaces through the client."""

import httpx
import pytest

from agentic import AgenticError
from common.errors import error
from common.files.workspaces import Workspace
from common.models import Page
from tests.agentic.fakes import NOW, SESSION, Script, problem

DEMO = Workspace(
    name="demo", size=3, entries=1, changed_at=NOW, generation="0" * 16, sessions=[SESSION.id]
)


async def test_workspaces_are_listed_and_read(connect):
    """As models, page by page."""
    page = Page[Workspace](items=[DEMO], next_cursor="demo")
    script = Script(
        httpx.Response(200, content=page.model_dump_json()),
        httpx.Response(200, content=DEMO.model_dump_json()),
    )
    client = await connect(script)
    assert await client.workspaces.list(limit=1, cursor="a") == page
    assert await client.workspaces.get("demo") == DEMO
    asked = [request.url.raw_path.decode() for request in script.requests]
    assert asked == ["/v1/workspaces?limit=1&cursor=a", "/v1/workspaces/demo"]


async def test_a_workspace_is_deleted_unless_a_session_names_it(connect):
    """The refusal names the sessions."""
    script = Script(httpx.Response(204), problem(error("workspace_in_use", "in use")))
    client = await connect(script)
    await client.workspaces.delete("demo")
    with pytest.raises(AgenticError, match="workspace_in_use"):
        await client.workspaces.delete("demo")
    assert script.requests[0].method == "DELETE"


async def test_a_session_is_deleted_with_its_workspace_only_when_that_is_said(connect):
    """Files are not to go unasked."""
    script = Script(httpx.Response(204))
    client = await connect(script)
    await client.delete_session(SESSION.id)
    await client.delete_session(SESSION.id, with_workspace=True)
    asked = [request.url.query for request in script.requests]
    assert asked == [b"", b"workspace=delete"]
