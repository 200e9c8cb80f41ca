"""One stack with a fake model for the tests that only talk to it."""

from types import SimpleNamespace

import pytest

from agentic import AgenticClient
from tests.system.conversation.talking import OTHER, Script, Talk, started
from tests.system.models.fake import running
from tests.system.services import execution_environment, orchestrator


@pytest.fixture(scope="session")
def talkative(tmp_path_factory):
    """Both services, with a model that says what a test wants."""
    directory, script = tmp_path_factory.mktemp("talk"), Script()
    with running(program=script) as fake:
        execution = execution_environment(directory)
        main = orchestrator(
            directory,
            execution,
            ORCHESTRATOR_MODEL="openai:fake",
            ORCHESTRATOR_MODELS=OTHER,
            ORCHESTRATOR_MODEL_BASE_URL=fake.openai_url,
        )
        with started(execution, main):
            files = directory / "data" / "workspaces" / "local"
            yield SimpleNamespace(fake=fake, script=script, main=main, files=files)


@pytest.fixture
async def talk(talkative):
    """A session of that stack."""
    talkative.script.clear()
    async with AgenticClient(talkative.main.url) as client:
        session = await client.create_session()
        yield Talk(client, talkative.fake, talkative.script, session)
