"""Both services as processes: one pair for the tests that only use it, fresh ones for the others."""

from types import SimpleNamespace

import pytest

from agentic import AgenticClient
from tests.system.models.stack import SHAPES, stacks
from tests.system.services import execution_environment, orchestrator


def _workspace(directory):
    return directory / "data" / "workspaces" / "local" / "demo"


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A pair of services that no test here stops."""
    directory = tmp_path_factory.mktemp("stack")
    execution = execution_environment(directory, EXEC_ENV_MAX_WRITE="1000000").start()
    main = orchestrator(directory, execution, ORCHESTRATOR_MAX_BODY="100000").start()
    yield SimpleNamespace(execution=execution, main=main, demo=_workspace(directory))
    assert (main.stop(), execution.stop()) == (0, 0)


@pytest.fixture
async def client(shared):
    """A client of the shared pair."""
    async with AgenticClient(shared.main.url) as client:
        yield client


@pytest.fixture(scope="session")
def model_stacks(tmp_path_factory):
    """Services with a model at a fake provider, by the provider's shape; no test here stops them."""
    with stacks(tmp_path_factory.mktemp("models")) as made:
        yield made


@pytest.fixture(params=SHAPES)
def stack(request, model_stacks):
    """Services with a model, of each shape in turn."""
    return model_stacks[request.param]


@pytest.fixture
def services(tmp_path):
    """Make a pair of services of the test's own, with settings; both are ended afterwards."""
    made = []

    def start(execution_env=None, orchestrator_env=None):
        execution = execution_environment(tmp_path, **execution_env or {})
        main = orchestrator(tmp_path, execution, **orchestrator_env or {})
        made.extend((main, execution))
        execution.start()
        main.start()
        return SimpleNamespace(execution=execution, main=main, demo=_workspace(tmp_path))

    yield start
    for service in made:
        service.stop()
