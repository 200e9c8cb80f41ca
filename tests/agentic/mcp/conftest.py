"""Official clients of both eras, in memory, on a bridge to a door that is a script."""

from contextlib import asynccontextmanager

import pytest
from mcp.client import Client
from mcp.client._memory import InMemoryTransport
from mcp_types import Implementation

from tests.agentic.mcp.door import TOOLS, Bench, Door
from tests.agentic.mcp.ends import Ends

ERAS = ("auto", "legacy")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """Have attempts follow one another at once."""
    monkeypatch.setattr("agentic.mcp.upstream.pause", lambda _failures: 0.0)


@pytest.fixture
def ends():
    """A wire over pipes."""
    made = Ends()
    yield made
    made.close()


@pytest.fixture(params=ERAS)
def era(request):
    """Each era of the protocol in turn."""
    return request.param


@pytest.fixture
def door():
    """A door with tools and resources."""
    return Door({**TOOLS, "resources": {"subscribe": False}})


@pytest.fixture
def bench(door):
    """A bridge to it."""
    return Bench(door)


@pytest.fixture
def connected(bench, era):
    """Return what connects a client; `said`: what its user answers to a form."""

    @asynccontextmanager
    async def connect(said=None, era=era):
        asked = []

        async def answer(_context, params):
            asked.append(params.message)
            return said

        async with bench.upstream:
            transport = InMemoryTransport(await bench.server())
            callback = None if said is None else answer
            info = Implementation(name="editor", version="3")
            async with Client(
                transport, mode=era, elicitation_callback=callback, client_info=info
            ) as client:
                client.asked = asked
                yield client

    return connect
