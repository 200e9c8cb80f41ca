"""Stores that are checked for keys without expiry, on fakeredis and on a real server; runs in them."""

from contextlib import asynccontextmanager

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from redis.asyncio import Redis

from orchestrator.engine.signals import Signals
from orchestrator.execution import retrying
from orchestrator.store.backend import StoreConfig
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.server.embedded import embedded_server
from orchestrator.store.store import make_store
from tests.orchestrator.builders import document, keys_without_expiry
from tests.orchestrator.fakes import ScriptedExecutor, ScriptedPlanner, runner_of


@asynccontextmanager
async def without_leaks(client):
    """Yield a client; fail when a key without expiry is left in its Redis."""
    yield client
    leaked = await keys_without_expiry(client)
    await client.aclose()
    assert leaked == []


@pytest.fixture
async def redis():
    """An empty Redis in this process; a test that leaves a key without expiry fails."""
    async with without_leaks(FakeAsyncRedis(decode_responses=True)) as client:
        yield client


@pytest.fixture
async def url(tmp_path):
    """The URL of a real server that is empty."""
    async with embedded_server(tmp_path / "store") as server:
        yield server.url


@pytest.fixture
async def real_redis(url):
    """A connection to it, for what only a real server does; the same check for keys."""
    async with without_leaks(Redis.from_url(url, decode_responses=True)) as client:
        yield client


@pytest.fixture(params=["redis", "real_redis"])
def any_redis(request):
    """Both in turn: what a script does must not depend on whose Lua it is."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def any_store(any_redis):
    """A store over each of them."""
    return make_store(any_redis, "test", StoreConfig(max_attempts=3))


@pytest.fixture
def store(redis):
    """A store over it."""
    return make_store(redis, "test", StoreConfig(max_attempts=3))


@pytest.fixture
async def away():
    """A store whose Redis is away."""
    server = FakeServer()
    server.connected = False
    redis = FakeAsyncRedis(server=server, decode_responses=True)
    yield make_store(redis, "test", StoreConfig())
    await redis.aclose()


@pytest.fixture
def session(store):
    """Open a session of a user."""
    return lambda user="ann", **more: store.sessions.create(
        user, **{"workspace": None, "metadata": {}, "ttl": None, **more}
    )


@pytest.fixture
def leased(store, session):
    """Start a run and acquire it."""

    async def lease(**changed):
        opened = await session()
        run = document(opened.id, **changed)
        await store.runs.create(run, "reject")
        await store.queue.take(RunRef(opened.user_id, opened.id, run.id))
        return await store.leases.acquire(opened.id, run.id, "worker-1")

    return lease


@pytest.fixture
def execute(store, leased):
    """Run these calls with these outcomes; return the run and the executor."""

    async def run(planned, outcomes, signals=None, call_timeout=5.0, settlements=(), **document):
        executor = ScriptedExecutor(*outcomes, settlements=settlements)
        runner = runner_of(store, executor, ScriptedPlanner(*planned), call_timeout)
        lease = await leased(**document)
        await runner.execute(lease, signals or Signals())
        return await store.runs.get(lease.session.id, lease.run.id), executor

    return run


@pytest.fixture
def impatient(monkeypatch):
    """Make no long pauses between attempts."""
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(retrying, "SETTLE_TIME", 0.2)
