"""A client whose orchestrator is a script."""

import contextlib

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
