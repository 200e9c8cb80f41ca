"""A client whose orchestrator is a script."""

import contextlib
import signal

import pytest

from agentic import AgenticClient


@pytest.fixture
async def connect():
    """Make clients over a transport; all are closed afterwards."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(transport, **more):
            client = AgenticClient("http://127.0.0.1:8000", transport=transport, **more)
            return await stack.enter_async_context(client)

        yield make


@pytest.fixture
def hangup():
    """Have SIGHUP end processes, also where the tests themselves are run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
