"""Calls over MCP with a store, an execution environment that is scripted, and callers."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from common.context import RequestSource
from common.tools import ToolSpec
from orchestrator.mcp.callers import Caller
from orchestrator.mcp.calling.call import Request
from orchestrator.mcp.calling.calls import Calls
from orchestrator.mcp.sessions import Sessions
from orchestrator.starting import Origin
from tests.orchestrator.fakes import ScriptedExecutor

ORIGIN = Origin("req_1", RequestSource(kind="mcp", agent="test/1"))
SCHEMA = {"type": "object", "properties": {"path": {"type": "string", "x-touches": "path"}}}
TOOLS = {
    name: ToolSpec(
        name=name, description="d", effect=effect, arguments_schema=SCHEMA, output_schema=SCHEMA
    )
    for name, effect in (("look", "read"), ("put", "write"))
}


def caller(**changed):
    """Return who calls."""
    given = {"user_id": "ann", "workspace": "demo", "origin": ORIGIN, "can_be_asked": True}
    return Caller(**{**given, **changed})


def request(tool="put", *, by=None, **more):
    """Return a call that is asked for."""
    return Request(by or caller(), tool, {"path": "f"}, **more)


class Bench(SimpleNamespace):
    """The calls over a store, and what they have come to."""

    async def told(self):
        """Return the events about calls."""
        session = await self.sessions.of("ann", "demo")
        return (await self.store.events.after(session.id, 1, 100)).events


@pytest.fixture
def bench(store):
    """Return a maker of calls over an executor that has these outcomes, under a policy."""

    def made(*outcomes, approval="never", settlements=()):
        executor = ScriptedExecutor(*outcomes, settlements=settlements)

        async def tools():
            return TOOLS

        services = SimpleNamespace(
            store=store,
            catalogue=SimpleNamespace(tools=tools),
            upstream=SimpleNamespace(calls=executor),
            approval=approval,
            call_timeout=timedelta(seconds=5),
        )
        sessions = Sessions(store)
        return Bench(
            calls=Calls(services, sessions), sessions=sessions, executor=executor, store=store
        )

    return made
