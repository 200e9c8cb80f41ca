"""A provider of sandboxes over the pair of services, and a name for a workspace."""

import agents
import pytest

from agentic.harnesses.openai_agents import AgenticSandboxClient
from common.ids import new_id


@pytest.fixture(autouse=True)
def untraced():
    """Keep the SDK from sending traces to its makers."""
    agents.set_tracing_disabled(True)


@pytest.fixture
def sandboxes(client):
    """A provider of sandboxes, by the test's client."""
    return AgenticSandboxClient(client)


@pytest.fixture
def name():
    """A workspace of the test's own."""
    return new_id("ws").replace("_", "-")
