"""A pair of services as they come, with nothing set that a deployment would not set."""

from types import SimpleNamespace

import pytest

from agentic import AgenticClient
from tests.system.services import execution_environment, orchestrator


@pytest.fixture(scope="session")
def plain_pair(tmp_path_factory):
    """Services with their own bounds on bodies, files and outputs; no test here stops them."""
    directory = tmp_path_factory.mktemp("harnesses")
    execution = execution_environment(directory).start()
    main = orchestrator(directory, execution).start()
    yield SimpleNamespace(url=main.url, workspaces=directory / "data" / "workspaces" / "local")
    assert (main.stop(), execution.stop()) == (0, 0)


@pytest.fixture
async def client(plain_pair):
    """A client of the pair."""
    async with AgenticClient(plain_pair.url) as client:
        yield client
