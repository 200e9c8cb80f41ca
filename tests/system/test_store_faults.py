"""A store that goes away under running runs: they go on, and so does whatever follows them."""

import asyncio
import os
import signal
import time
from types import SimpleNamespace

import httpx
import pytest

from agentic import AgenticClient
from common.plans import Plan
from common.runs import Budget
from tests.system.servers import standalone
from tests.system.services import child, execution_environment, orchestrator, wait_until

AWAY = 3.0
STEPS = 100
APPENDING = Plan.model_validate(
    {"steps": [{"name": f"s{n}", "tool": "append_file",
                "arguments": {"path": "log", "content": f"{n}\n"}} for n in range(STEPS)]}
)  # fmt: skip


@pytest.fixture
def stack(tmp_path):
    """Both services, over a server that the test may treat as it likes."""
    with standalone(tmp_path / "redis") as redis:
        execution = execution_environment(tmp_path).start()
        main = orchestrator(tmp_path, execution, ORCHESTRATOR_REDIS_URL=redis.url).start()
        yield SimpleNamespace(redis=redis, execution=execution, main=main, tmp_path=tmp_path)
        main.stop()
        execution.stop()


async def _started(client, workspace):
    """Start a run, and wait until it is under way."""
    session = await client.create_session(workspace)
    run = await client.start_run(session.id, plan=APPENDING, budget=Budget(steps=STEPS))
    seen = 0
    async for event in client.events(session.id, run.id):
        seen += event.type == "step.succeeded"
        if seen == 5:
            return run
    raise AssertionError("it has ended")


async def _outcome(client, run, stack, workspace):
    """Return how a run ended, and whether each of its effects is there once and in order."""
    ended = await client.wait(run.session_id, run.id)
    log = stack.tmp_path / "data/workspaces/local" / workspace / "log"
    in_order = log.read_text().split() == [str(n) for n in range(STEPS)]
    return ended.status, in_order, ended.error


def _ready(service):
    return httpx.get(f"{service.url}/health/ready", trust_env=False)


def _asked(stack, session_id):
    """Ask for another run."""
    runs = f"{stack.main.url}/v1/sessions/{session_id}/runs"
    return httpx.post(runs, json={"goal": "list"}, trust_env=False)


async def test_runs_go_on_after_a_store_that_was_away_for_three_seconds(stack):
    """Killed, and started again on its data: no ending of a run, and new ones start within 2 s."""
    async with AgenticClient(stack.main.url) as client:
        runs = [await _started(client, f"w{n}") for n in range(3)]
        stack.redis.kill()
        killed = time.monotonic()
        await asyncio.to_thread(wait_until, lambda: _ready(stack.main).status_code == 503)
        reason = _ready(stack.main).json()["detail"]
        assert f"store: The session store at redis://127.0.0.1:{stack.redis.port}" in reason
        assert "Connection refused" in reason
        await asyncio.sleep(killed + AWAY - time.monotonic())
        await asyncio.to_thread(stack.redis.start)
        outcomes = [await _outcome(client, run, stack, f"w{n}") for n, run in enumerate(runs)]
        assert outcomes == [("succeeded", True, None)] * 3
        session = await client.create_session("w0")
        run = await client.start_run(session.id, goal="list")
        assert (await client.wait(session.id, run.id)).status == "succeeded"
    assert _ready(stack.main).json()["facts"]["store"] == {"state": "ok", "kind": "redis"}
    lines = stack.main.log.read_text()
    assert lines.count("the session store cannot be reached") <= 3  # one for each reason
    assert lines.count("the session store is back") == 1


async def test_runs_outlast_connections_that_are_dropped_five_times(stack):
    """Within a quarter of a second, under running runs."""
    async with AgenticClient(stack.main.url) as client:
        runs = [await _started(client, f"w{n}") for n in range(3)]
        for _ in range(5):
            stack.redis.drop_connections()
            await asyncio.sleep(0.05)
        outcomes = [await _outcome(client, run, stack, f"w{n}") for n, run in enumerate(runs)]
    assert outcomes == [("succeeded", True, None)] * 3


async def test_worker_takes_runs_again_after_a_store_that_refused(stack):
    """A demotion for 2.5 s ended the worker for good: new runs stayed queued, and ready said ok."""
    async with AgenticClient(stack.main.url) as client:
        session = await client.create_session("w")
        stack.redis.ask("CONFIG", "SET", "min-replicas-to-write", 1)
        await asyncio.to_thread(wait_until, lambda: "NOREPLICAS" in _ready(stack.main).text)
        refused = _asked(stack, session.id)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        await asyncio.sleep(2.5)
        stack.redis.ask("CONFIG", "SET", "min-replicas-to-write", 0)
        run = await client.start_run(session.id, goal="list")
        assert (await client.wait(session.id, run.id)).status == "succeeded"


async def test_full_store_refuses_new_runs_and_running_ones_wait(stack):
    """503 `store_full`; what runs goes on when there is room again."""
    async with AgenticClient(stack.main.url) as client:
        run = await _started(client, "w")
        stack.redis.ask("CONFIG", "SET", "maxmemory", 1)
        refused = _asked(stack, run.session_id)
        assert (refused.status_code, refused.json()["code"]) == (503, "store_full")
        await asyncio.sleep(1.0)
        stack.redis.ask("CONFIG", "SET", "maxmemory", 0)
        assert await _outcome(client, run, stack, "w") == ("succeeded", True, None)


async def test_service_whose_part_fails_ends_with_a_code_of_failure(stack):
    """Its keeper starts it anew; to live on without a worker would be to take runs for nobody."""
    wait_until(lambda: _ready(stack.main).is_success)
    stack.redis.ask("DEL", "agentic:queue")
    stack.redis.ask("SET", "agentic:queue", "no stream", "EX", 60)
    assert await asyncio.to_thread(stack.main.process.wait, 30) == 1
    assert "a part of the service has failed" in stack.main.log.read_text()
    assert "WRONGTYPE" in stack.main.log.read_text()


async def test_ready_says_that_the_token_is_wrong(stack, tmp_path):
    """It was ok, and every call was refused."""
    other = orchestrator(
        tmp_path / "other", stack.execution,
        ORCHESTRATOR_REDIS_URL=stack.redis.url, ORCHESTRATOR_SERVICE_TOKEN="wrong",
    ).start()  # fmt: skip
    answer = _ready(other)
    assert answer.status_code == 503
    assert answer.json()["detail"] == (
        "execution_environment: The execution environment refused the orchestrator's service token"
    )
    assert other.stop() == 0


async def test_embedded_store_that_is_killed_comes_back_under_running_runs(services):
    """The same server as everybody has who chooses no other."""
    stack = services()
    async with AgenticClient(stack.main.url) as client:
        run = await _started(client, "demo")
        os.kill(child(stack.main, "valkey-server"), signal.SIGKILL)
        ended = await client.wait(run.session_id, run.id)
    assert ended.status == "succeeded", ended.error
    assert (stack.demo / "log").read_text().split() == [str(n) for n in range(STEPS)]
