"""What every part of the store relies on: scripts that act once, a Redis that may be away."""

import asyncio
from datetime import timedelta

import pytest
from fakeredis import FakeAsyncRedis, FakeServer
from redis import exceptions

from common.errors import SystemFault
from orchestrator.store.backend import PATIENCE, StoreConfig, StoreUnavailable
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.store import make_store, open_store
from tests.orchestrator.builders import (
    DONE,
    call_of,
    code_of,
    document,
    event_types,
    step,
    turn,
)


async def test_script_that_is_sent_twice_acts_once(store, session):
    """A client library may resend after a stall."""
    opened = await session()
    run = document(opened.id)
    for _ in range(2):
        await store.runs.create(run, "reject")
    first, second = [await store.leases.acquire(opened.id, run.id, "same") for _ in range(2)]
    assert first.fence == second.fence
    a, b = step(1), step(2)
    for _ in range(2):
        await store.progress.record_turn(first, turn(a, b))
    for _ in range(2):
        await store.progress.record(first, [(a, call_of(a))])
    await store.progress.record(first, [(b, call_of(b))])  # beside it
    await store.progress.record(first, [(a, call_of(a))])
    ended = a.model_copy(update={"status": "succeeded"})
    for _ in range(2):
        await store.progress.record(first, [(ended, call_of(a))])
    for _ in range(2):
        await store.progress.finish(first, DONE)
    assert await event_types(store, opened.id) == [
        "session.created", "run.queued", "run.started", "turn.decided", "step.started",
        "step.started", "step.succeeded", "run.succeeded",
    ]  # fmt: skip


async def test_backend_without_its_redis_is_unavailable():
    """Retryable, and nothing was done."""
    server = FakeServer()
    store = make_store(FakeAsyncRedis(server=server, decode_responses=True), "test", StoreConfig())
    server.connected = False
    with pytest.raises(SystemFault) as caught:
        await store.ping()
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)


CUT = exceptions.ConnectionError("Connection closed by server.")
SILENT = exceptions.TimeoutError("Timeout reading from store:6379")
REPLICA = exceptions.ReadOnlyError("You can't write against a read only replica.")
FULL = exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [
        ([REPLICA], "not_executed"),
        ([FULL], "not_executed"),
        ([CUT], "unknown"),
        ([SILENT], "unknown"),
        ([CUT, REPLICA], "unknown"),
        ([REPLICA, SILENT], "unknown"),
    ],
    ids=["replica", "full", "cut", "silent", "cut, then replica", "replica, then silent"],
)
async def test_script_that_was_not_answered_may_have_written(store, errors, outcome):
    """A store that stood still for six seconds took answers of people that had been told otherwise."""
    left = list(errors)

    async def attempt():
        raise left.pop(0) if len(left) > 1 else left[0]

    with pytest.raises(StoreUnavailable) as caught:
        await store.backend.repeat(lambda: store.backend.do(attempt()), timedelta(seconds=0.1))
    assert caught.value.outcome == outcome


@pytest.fixture
async def real_store(url):
    """A store as it is opened, on a real server; its lease lasts long enough to wait in."""
    async with open_store(url, "test", StoreConfig(lease=timedelta(seconds=5))) as store:
        yield store


@pytest.fixture
async def owned(real_store):
    """A lease on a run in it."""
    opened = await real_store.sessions.create("ann", "w", {}, None)
    run = document(opened.id)
    await real_store.runs.create(run, "reject")
    return await real_store.leases.acquire(opened.id, run.id, "worker-1")


REFUSALS = {
    "read only replica": ("replicaof", "127.0.0.1 1", "no one"),
    "NOREPLICAS": ("min-replicas-to-write", "1", "0"),
    "is full": ("maxmemory", "1", "0"),
}


async def _refuse(redis, told, *, over=False):
    name, begin, end = REFUSALS[told]
    value = end if over else begin
    if name == "replicaof":
        await redis.execute_command("REPLICAOF", *value.split())
    else:
        await redis.config_set(name, value)


@pytest.mark.parametrize("told", REFUSALS)
async def test_owners_write_waits_until_the_store_takes_it(real_redis, real_store, owned, told):
    """A demotion, too few replicas, a full store: seen to end the worker, its runs, the run."""
    await _refuse(real_redis, told)
    writing = asyncio.create_task(real_store.progress.record(owned, [(step(), call_of(step()))]))
    done, _ = await asyncio.wait([writing], timeout=PATIENCE.total_seconds() + 0.5)
    assert not done, writing.exception()
    await _refuse(real_redis, told, over=True)
    await writing
    events = await event_types(real_store, owned.session.id)
    assert events[-1:] == ["step.started"]


@pytest.mark.parametrize("told", REFUSALS)
async def test_owners_write_ends_when_the_lease_is_in_doubt(real_redis, url, owned, told):
    """The store is still away: somebody else may own the run by the time that it is back."""
    async with open_store(url, "test", StoreConfig(lease=timedelta(seconds=0.5))) as hurried:
        await _refuse(real_redis, told)
        with pytest.raises(StoreUnavailable, match=told):
            await hurried.progress.record(owned, [(step(), call_of(step()))])
    await _refuse(real_redis, told, over=True)


@pytest.mark.parametrize(
    ("told", "code"), [("NOREPLICAS", "unavailable"), ("is full", "store_full")]
)
async def test_client_is_told_soon_that_the_store_takes_nothing(
    real_redis, real_store, owned, told, code
):
    """503, to be tried again: a request does not wait for as long as a run can."""
    await _refuse(real_redis, told)
    asked = asyncio.get_running_loop().time()
    run = document(owned.session.id)
    assert await code_of(real_store.runs.create(run, "queue")) == code
    assert asyncio.get_running_loop().time() - asked < 2 * PATIENCE.total_seconds()
    await _refuse(real_redis, told, over=True)


async def test_commands_outlast_connections_that_are_dropped(real_redis, real_store, owned):
    """Five in a quarter of a second ended 19 of 20 runs as failed; each write is there once."""

    async def drop():
        for _ in range(5):
            await real_redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await asyncio.sleep(0.05)

    dropping = asyncio.create_task(drop())
    n = 0
    while not dropping.done():
        n += 1
        made = step(n)
        await real_store.progress.record_turn(owned, turn(made, t=n))
        await real_store.progress.record(owned, [(made, call_of(made))])
        ended = made.model_copy(update={"status": "succeeded"})
        await real_store.progress.record(owned, [(ended, call_of(made))])
        await real_store.runs.get(owned.session.id, owned.run.id)
        await real_store.queue.wake(RunRef.of(owned))
    await dropping
    events = await event_types(real_store, owned.session.id)
    assert events[3:] == ["turn.decided", "step.started", "step.succeeded"] * n


async def test_scripts_are_sent_again_to_a_server_that_has_forgotten_them(real_redis):
    """One that was started anew, or a replica that took over, answers NOSCRIPT."""
    store = make_store(real_redis, "test", StoreConfig())
    for _ in range(2):
        await real_redis.script_flush()
        assert (await store.sessions.create("ann", "w", {}, None)).workspace == "w"


async def test_replicated_write_says_so_when_a_replica_is_missing(real_redis):
    """A turn that only one server has can be lost with it."""
    config = StoreConfig(replica_acks=1, lease=timedelta(seconds=0.1))
    backend = make_store(real_redis, "test", config).backend
    with pytest.raises(StoreUnavailable, match="0 of 1 replicas have acknowledged a write in time"):
        await backend.script("touch", "ses_1", "", is_replicated=True, patience=timedelta(0))
    alone = make_store(real_redis, "test", StoreConfig()).backend
    assert (await alone.script("touch", "ses_1", "", is_replicated=True))[0] == "done"


async def test_full_store_lets_runs_be_cancelled_and_sessions_be_deleted(
    real_redis, real_store, owned
):
    """It refused both, so that no client could stop anything, or make room, when that was needed."""
    key = ("key", "digest")
    other = await real_store.sessions.create("ann", "w", {}, None, key)
    waiting = document(other.id)
    await real_store.runs.create(waiting, "reject")
    await _refuse(real_redis, "is full")
    assert (await real_store.runs.cancel(owned.session.id, owned.run.id)).status == "running"
    assert (await real_store.runs.cancel(other.id, waiting.id)).status == "cancelled"
    await real_store.sessions.delete(other.id, "ann")
    assert await code_of(real_store.sessions.get(other.id, "ann")) == "session_not_found"
    with pytest.raises(StoreUnavailable):
        await real_store.runs.create(document(owned.session.id), "enqueue")
    await _refuse(real_redis, "is full", over=True)
    assert await real_store.leases.renew(owned) is True
    assert (await real_store.sessions.create("ann", "w", {}, None, key)).id != other.id
