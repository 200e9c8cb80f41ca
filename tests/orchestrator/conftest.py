"""A store on fakeredis that is checked for keys without expiry, and things to put into it."""

from datetime import timedelta

import pytest
from fakeredis import FakeAsyncRedis

from common.context import RequestSource
from common.ids import new_id
from common.runs import Budget, Step
from orchestrator.engine.runner import Runner
from orchestrator.engine.signals import Signals
from orchestrator.engine.steps import StepMaker
from orchestrator.store.backend import StoreConfig
from orchestrator.store.records import RunDocument
from orchestrator.store.store import make_store
from tests.orchestrator.fakes import ScriptedExecutor, ScriptedPlanner


async def keys_without_expiry(redis) -> list[str]:
    """Return the keys that would stay for ever."""
    return [key for key in await redis.keys("*") if await redis.ttl(key) < 0]


@pytest.fixture
async def redis():
    """An empty Redis in this process; a test that leaves a key without expiry fails."""
    client = FakeAsyncRedis(decode_responses=True)
    yield client
    leaked = await keys_without_expiry(client)
    await client.aclose()
    assert leaked == []


@pytest.fixture
def store(redis):
    """A store over it."""
    return make_store(redis, "test", StoreConfig(max_attempts=3))


@pytest.fixture
def session(store):
    """Open a session of a user."""
    return lambda user="ann", **more: store.sessions.create(
        user, **{"workspace": None, "metadata": {}, "ttl": None, **more}
    )


def document(session_id, **changed) -> RunDocument:
    """Return a run to be stored."""
    return RunDocument(
        **{
            "id": new_id("run"),
            "session_id": session_id,
            "goal": "list files",
            "plan": None,
            "planner": "rules",
            "budget": Budget(),
            "request_id": "req_1",
            "request_source": RequestSource(kind="rest"),
            "traceparent": None,
            **changed,
        }
    )


def step(n=1, **changed) -> Step:
    """Return a step."""
    given = {"id": new_id("stp"), "n": n, "name": f"s{n}", "tool": "t", "arguments": {}}
    return Step(**{**given, "status": "running", **changed})


@pytest.fixture
def leased(store, session):
    """Start a run and acquire it."""

    async def lease(**changed):
        opened = await session()
        run = document(opened.id, **changed)
        await store.runs.create(run, "reject")
        return await store.leases.acquire(opened.id, run.id, "worker-1")

    return lease


@pytest.fixture
def execute(store, leased):
    """Run these calls with these outcomes; return the run and the executor."""

    async def run(planned, outcomes, signals=None, call_timeout=5.0, settlements=(), **document):
        executor = ScriptedExecutor(*outcomes, settlements=settlements)
        steps = StepMaker(store.progress, executor, timedelta(seconds=call_timeout))
        runner = Runner(store, {"rules": ScriptedPlanner(*planned)}, steps)
        lease = await leased(**document)
        await runner.execute(lease, signals or Signals())
        return await store.runs.get(lease.session.id, lease.run.id), executor

    return run


async def event_types(store, session_id) -> list[str]:
    """Return the types of a session's events."""
    return [event.type for event in (await store.events.after(session_id, 0, 1000)).events]
