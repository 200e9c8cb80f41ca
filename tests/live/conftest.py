"""The compose stack: built, brought up under a name of its own, and always taken down."""

import pytest

from agentic import AgenticClient
from tests.live.stack import KEY, ComposeStack


@pytest.fixture(scope="session")
def stack():
    """The stack, healthy."""
    compose = ComposeStack()
    try:
        compose.up()
        yield compose
    finally:
        compose.down()


@pytest.fixture
async def client(stack):
    """A client with the stack's key."""
    async with AgenticClient(stack.url, KEY) as client:
        yield client
