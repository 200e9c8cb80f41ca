"""The worker: runs are found, kept, cancelled, given back; a lost lease stops the body."""

import asyncio
from datetime import timedelta

import pytest
from redis.exceptions import ResponseError

from common.errors import ClientError
from common.ids import new_id
from orchestrator.engine.worker import Worker
from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.store import make_store
from tests.orchestrator.builders import document, event_types, expire_lease, server_time, woken
from tests.orchestrator.fakes import ScriptedExecutor, ScriptedPlanner, call, runner_of, until

TWO_CALLS = (call("a"), call("b"))
PLACES = 4


@pytest.fixture
def store(real_redis):
    """A store with a short lease, on a real server: what blocks and what is woken is its business."""
    return make_store(
        real_redis, "test", StoreConfig(lease=timedelta(seconds=0.8), user_concurrency=PLACES)
    )


@pytest.fixture
async def start(store):
    """Start a worker over these outcomes; every one is drained afterwards."""
    started = []
    await store.queue.wake(RunRef("ann", new_id("ses"), new_id("run")))  # a stale hint is nothing

    async def worker(*outcomes, planned=TWO_CALLS):
        executor = ScriptedExecutor(*outcomes)
        runner = runner_of(store, executor, ScriptedPlanner(*planned))
        made = Worker(store, runner, concurrency=2)
        started.append((made, asyncio.create_task(made.serve())))
        return made, executor

    yield worker
    for made, serving in started:
        made.drain()
        await asyncio.wait_for(serving, 10)


@pytest.fixture
def queued(store, session):
    """Start a run; return it by its ids."""

    async def run(user="ann"):
        opened = await session(user)
        made = document(opened.id)
        await store.runs.create(made, "reject")
        return opened.id, made.id

    return run


def ended(store, ids, status):
    """Return the condition that a run has this status."""

    async def check():
        return (await store.runs.get(*ids)).status == status

    return check


async def test_worker_finds_runs_and_executes_them(start, store, queued):
    """More of them than there are slots."""
    await start()
    runs = [await queued() for _ in range(5)]
    for ids in runs:
        await until(ended(store, ids, "succeeded"))


async def test_worker_renews_the_lease_of_a_long_run(start, store, queued):
    """Renewed while its call takes long."""

    async def slow():
        await asyncio.sleep(2.0)
        return {}

    await start(slow)
    ids = await queued()
    await until(ended(store, ids, "succeeded"))
    assert "run.resumed" not in await event_types(store, ids[0])


async def test_worker_notices_a_cancel_without_its_notification(start, store, queued):
    """The renewal sees the flag."""

    async def forever():
        await asyncio.Event().wait()

    await start(forever)
    ids = await queued()
    await until(ended(store, ids, "running"))
    await store.runs.cancel(*ids)
    await until(ended(store, ids, "cancelled"))


async def test_worker_cancels_a_run_at_its_notification(start, store, queued):
    """And one for an unknown run is nothing."""

    async def forever():
        await asyncio.Event().wait()

    worker, _ = await start(forever)
    ids = await queued()
    await until(lambda: ids[1] in worker._kept)
    worker.cancel("run_unknown")
    worker.cancel(ids[1])
    await until(ended(store, ids, "cancelled"))


async def test_worker_stops_a_run_whose_lease_it_lost(start, store, queued, real_redis):
    """Another one owns the run now; the first must not go on beside it."""
    stopped = asyncio.Event()

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    worker, executor = await start(forever)
    ids = await queued()
    await until(lambda: executor.calls)
    await real_redis.hset(f"test:{{{ids[0]}}}:run:{ids[1]}", "fence", "99999999999999999")
    await asyncio.wait_for(stopped.wait(), 5)
    await until(lambda: not worker._kept)


async def test_worker_that_drains_hands_its_run_on(start, store, queued):
    """The next worker finishes it; no step is made twice."""
    reached, go = asyncio.Event(), asyncio.Event()

    async def held():
        reached.set()
        await go.wait()
        return {}

    first, one = await start(held)
    ids = await queued()
    await reached.wait()
    first.drain()
    go.set()
    await until(ended(store, ids, "queued"))
    _, two = await start()
    await until(ended(store, ids, "succeeded"))
    assert (len(one.calls), len(two.calls)) == (1, 1)


async def test_worker_that_drains_hands_on_a_wake_up_that_it_has_received(
    start, store, queued, monkeypatch
):
    """It came while the worker waited for one: nobody else will see it."""
    received = store.queue.next

    async def drained_meanwhile(*waiting):
        ref = await received(*waiting)
        worker.drain()
        return ref

    await woken(store)
    ids = await queued()
    monkeypatch.setattr(store.queue, "next", drained_meanwhile)
    worker, executor = await start()
    await until(lambda: worker._draining.is_set() and not worker._tasks)
    monkeypatch.undo()
    assert executor.calls == []
    assert await woken(store) == [ids[1]]


async def test_worker_takes_the_run_of_a_silent_owner_before_what_the_stream_holds(
    start, store, queued, real_redis, monkeypatch
):
    """A dead owner's run was woken after 47 s, behind 5,000 that were queued."""
    taken, go, take = [], asyncio.Event(), store.queue.take

    async def note(ref):
        taken.append(ref.run_id)
        return await take(ref)

    async def held():
        await go.wait()
        return {}

    silent = await queued()
    lease = await store.leases.acquire(*silent, "dead")
    await woken(store)
    for _ in range(10):
        await queued()
    await store.queue.take(RunRef.of(lease))
    await expire_lease(real_redis, lease)
    monkeypatch.setattr(store.queue, "take", note)
    worker, executor = await start(held, held)
    await until(lambda: len(executor.calls) == 2)
    await until(lambda: worker._silent or silent[1] in taken)
    go.set()
    await until(ended(store, silent, "succeeded"))
    assert taken.index(silent[1]) <= 2  # two were under way


async def test_worker_leaves_a_run_in_line_that_there_is_no_place_for(
    start, store, queued, real_redis
):
    """Its user's other runs have them all: it starts when one of those ends."""
    refs = [RunRef("ann", new_id("ses"), new_id("run")) for _ in range(PLACES)]
    late = await server_time(real_redis) + 60_000
    await real_redis.zadd(store.backend.keys.places("ann"), {ref.member: late for ref in refs})
    await store.queue.take(refs[0])  # which gives the key its expiry
    ids = await queued()
    await store.queue.wake(RunRef("ann", *ids))  # a stray one
    await start()
    other = await queued("bob")
    await until(ended(store, other, "succeeded"))
    assert (await store.runs.get(*ids)).status == "queued"
    await store.queue.free(refs[1])
    await until(ended(store, ids, "succeeded"))


async def test_worker_outlives_a_bug_in_a_run(start, store, queued):
    """It is logged, the run is tried again, and others go on."""
    _, executor = await start(ValueError("a bug"), planned=(call("a"),))
    broken = await queued()
    await until(lambda: executor.calls)
    fine = await queued()
    await until(ended(store, fine, "succeeded"))
    await until(ended(store, broken, "succeeded"))
    assert len({made.id for made, _ in executor.calls}) == 2


async def test_worker_waits_for_a_store_that_fails(start, store, queued, monkeypatch):
    """The worker is there again when it is."""
    monkeypatch.setattr("orchestrator.engine.worker.IDLE", timedelta(seconds=0.01))
    real, failures = store.backend.do, []

    async def failing(pending):
        answer = await real(pending)
        if len(failures) < 5:
            failures.append(1)
            raise StoreUnavailable("unavailable", "the answer was lost")
        return answer

    ids = await queued()
    monkeypatch.setattr(store.backend, "do", failing)
    await start()
    await until(lambda: len(failures) == 5)
    await until(ended(store, ids, "succeeded"))


@pytest.mark.parametrize(
    "refusal", [("replica-serve-stale-data", "no"), ("min-replicas-to-write", "1")]
)
async def test_worker_outlasts_a_store_that_refuses(
    start, store, queued, real_redis, monkeypatch, refusal
):
    """READONLY and NOREPLICAS, 2.5 s of them, ended the worker for good while the process lived on."""
    monkeypatch.setattr("orchestrator.engine.worker.IDLE", timedelta(seconds=0.01))
    name, value = refusal
    faults = []
    real = store.backend.do

    async def watched(pending):
        try:
            return await real(pending)
        except StoreUnavailable as fault:
            faults.append(fault)
            raise

    monkeypatch.setattr(store.backend, "do", watched)
    await start()
    await real_redis.config_set(name, value)
    if name.startswith("replica"):
        await real_redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    await until(lambda: len(faults) > 5)
    await real_redis.execute_command("REPLICAOF", "NO", "ONE")
    await real_redis.config_set("min-replicas-to-write", "0")
    ids = await queued()
    await until(ended(store, ids, "succeeded"))


async def test_worker_ends_with_the_cause_of_a_mistake(store, real_redis):
    """Nobody knows how to go on from one: whoever supervises it ends the process."""
    await real_redis.set(store.backend.keys.queue, "no stream", ex=60)
    runner = runner_of(store, ScriptedExecutor(), ScriptedPlanner())
    worker = Worker(store, runner, concurrency=1)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await worker.serve()
    worker.drain()


async def test_worker_tells_the_highest_fence_to_a_store_that_forgot_it(start, store, queued):
    """After a failover to a stale replica: the run is acquired anew, above what was seen."""
    highest = 2**52

    async def as_it_was_seen():
        if executor.calls[-1][0].fence < highest:
            raise ClientError("fenced", "a newer owner", limit=highest, actual=1)
        return {}

    # a slow machine may lose its lease on the way, and has to find out once more
    _, executor = await start(*[as_it_was_seen] * 20, planned=(call("a"),))
    ids = await queued()
    await until(ended(store, ids, "succeeded"))
    first, *later = (made for made, _ in executor.calls)
    assert first.fence < highest
    assert later[-1].fence > highest
    assert {made.id for made in later} == {first.id}


async def test_worker_leaves_a_run_to_its_newer_owner(start, store, queued, real_redis):
    """The fence was outrun because the run is another worker's: it is not ours to give back."""
    overtaken = asyncio.Event()

    async def overtake():
        session_id, run_id = ids
        run = f"test:{{{session_id}}}:run:{run_id}"
        await real_redis.hset(run, mapping={"fence": "5", "owner": "another"})
        overtaken.set()
        raise ClientError("fenced", "a newer owner", limit=2**52, actual=1)

    worker, executor = await start(overtake, planned=(call("a"),))
    ids = await queued()
    await until(overtaken.is_set)
    await until(lambda: not worker._kept)
    assert len(executor.calls) == 1
    assert (await store.runs.get(*ids)).status == "running"


async def test_worker_without_a_free_slot_notes_a_silent_run_once(store, leased, real_redis):
    """It is found again each lease: a worker that is busy for hours kept thousands of each."""
    lease = await leased()
    worker = Worker(store, runner_of(store, None, ScriptedPlanner()), concurrency=1)
    for _ in range(2):
        await expire_lease(real_redis, lease)
        await worker._find_silent()
    assert list(worker._silent) == [RunRef.of(lease)]
