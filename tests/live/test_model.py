"""A model's run in containers: the orchestrator's image beside a provider in its network."""

import secrets

import pytest

from agentic import AgenticClient
from tests.live.stack import KEY, ROOT, ComposeStack, wait_until

MODEL_PORT = 9000
PROVIDER = ["python", "-m", "tests.system.models.fake", "--port", str(MODEL_PORT)]


@pytest.fixture
def with_model(stack):
    """Run another orchestrator of the stack, which has a model and keys of its own in the store."""
    name, port = f"{stack.project}-model", ComposeStack().port
    settings = {
        "REDIS_URL": "redis://redis:6379/0",
        "KEY_PREFIX": "with-model",
        "EXECUTION_URL": "http://execution-environment:8001",
        "SERVICE_TOKEN": stack.settings["SERVICE_TOKEN"],
        "API_KEYS": stack.settings["API_KEYS"],
        "MODEL": "openai:fake",
        "MODEL_BASE_URL": f"http://127.0.0.1:{MODEL_PORT}/v1",
    }
    given = [
        word for key, value in settings.items() for word in ("-e", f"ORCHESTRATOR_{key}={value}")
    ]
    run = ["run", "-d", "--read-only", "--cap-drop", "ALL", "--memory", "512m"]
    front = ["--network", f"{stack.project}_front", "-p", f"127.0.0.1:{port}:8000"]
    beside = ["--network", f"container:{name}", "-v", f"{ROOT}/tests:/tree/tests:ro", "-w", "/tree"]
    try:
        stack.docker("create", *run[2:], "--name", name, *front, *given, "agentic-orchestrator")
        for network in ("store", "execution"):
            stack.docker("network", "connect", f"{stack.project}_{network}", name)
        stack.docker("start", name)
        program = ["--program", "tests.live.answering:answer"]
        stack.docker(
            *run, "--name", f"{name}-provider", *beside, "agentic-orchestrator", *PROVIDER, *program
        )
        wait_until(lambda: stack.is_ready(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}"
    finally:
        stack.docker("rm", "-f", name, f"{name}-provider")


async def test_a_model_works_in_the_containers(with_model):
    """The image has what it takes, within its memory and on its read-only file system."""
    async with AgenticClient(with_model, KEY) as client:
        session = await client.create_session(f"model-{secrets.token_hex(4)}")
        run = await client.start_run(session.id, goal="Write hello.txt")
        ended = await client.wait(session.id, run.id)
    assert (ended.status, ended.planner, ended.result.answer) == (
        "succeeded", "llm", "It is written."
    )  # fmt: skip
    assert [change.path for change in ended.result.changes] == ["hello.txt"]
    assert ended.usage.input_tokens > 0


async def test_a_deployment_without_a_model_says_so(client):
    """Clients ask before they offer anything that needs one."""
    [llm] = [planner for planner in await client.planners() if planner.name == "llm"]
    assert (llm.available, llm.models) == (False, [])
    assert "ORCHESTRATOR_MODEL" in llm.reason
