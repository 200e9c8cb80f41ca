"""Leases: one owner at a time, with a fence that only grows."""

from datetime import timedelta

import pytest

from orchestrator.store.fencing import Fenced
from tests.orchestrator.builders import (
    DONE,
    begun,
    call_of,
    document,
    event_types,
    expire_lease,
    server_time,
    step,
    turn,
    woken,
)


async def use_up_attempts(store, redis, lease):
    """Lose every worker that takes the run; return the lease of the last one that got it."""
    ids = lease.session.id, lease.run.id
    for attempt in range(2):
        await expire_lease(redis, lease)
        lease = await store.leases.acquire(*ids, f"worker-{attempt}")
        assert lease is not None
    await expire_lease(redis, lease)
    return lease


async def test_lease_has_one_owner(store, leased):
    """Whoever comes second gets nothing until the lease has run out."""
    lease = await leased()
    assert await store.leases.acquire(lease.session.id, lease.run.id, "worker-2") is None
    assert await store.leases.renew(lease) is False


async def test_lease_fence_grows_with_the_clock_and_the_floor(store, leased):
    """It does not repeat after a failover to a replica that does not know the last one."""
    first = await leased()
    assert first.fence > 1_700_000_000_000_000
    floor = first.fence + 10**12
    await store.leases.release(first, floor=floor)
    second = await store.leases.acquire(first.session.id, first.run.id, "w")
    assert second.fence == floor + 1
    await store.leases.release(second, floor=first.fence)
    assert (await store.leases.acquire(first.session.id, first.run.id, "w")).fence == floor + 2


async def test_lease_of_a_run_that_kills_its_workers_is_given_up(store, leased, redis):
    """Past the cap on attempts since the last committed step; a commit begins a new count."""
    lease = await leased()
    ids = lease.session.id, lease.run.id
    await store.progress.record_turn(lease, turn(step()))
    await store.progress.record(lease, [(step(status="succeeded"), call_of(step()))])
    for attempt in range(3):
        await expire_lease(redis, lease)
        lease = await store.leases.acquire(*ids, f"worker-{attempt}")
        assert lease is not None
    await expire_lease(redis, lease)
    assert await store.leases.acquire(*ids, "worker-x") is None
    run = await store.runs.get(*ids)
    assert (run.status, run.error.code) == ("failed", "internal")
    assert (await store.sessions.get(ids[0], "ann")).active_run is None


async def test_lease_that_was_released_can_be_acquired_at_once(store, leased):
    """A worker that drains gives back what it keeps; that is no failed attempt."""
    lease = await leased()
    for _ in range(5):
        await store.leases.release(lease)
        lease = await store.leases.acquire(lease.session.id, lease.run.id, "other")
    assert lease is not None


async def test_lease_of_a_run_that_kills_its_workers_ends_it_as_cancelled_if_asked(
    store, leased, redis
):
    """Its client has asked for nothing else; no worker lived long enough to see to it."""
    lease = await use_up_attempts(store, redis, await leased())
    ids = lease.session.id, lease.run.id
    await store.runs.cancel(*ids)
    assert await store.leases.acquire(*ids, "worker-x") is None
    run = await store.runs.get(*ids)
    assert (run.status, run.error) == ("cancelled", None)
    assert (await event_types(store, ids[0]))[-1] == "run.cancelled"


@pytest.mark.parametrize(("all_of_it", "reads"), [(262_144, 0), (262_145, 1)])
async def test_lease_of_a_run_comes_with_what_is_stored_unless_that_is_much(
    any_store, any_redis, monkeypatch, all_of_it, reads
):
    """Through a script 16 MB held up the whole server three times as long; the lease is the same."""
    lease, pipelines = await begun(any_store), []
    ids = lease.session.id, lease.run.id
    await any_store.progress.record_turn(lease, turn(step()))
    await any_store.progress.record(lease, [(step(status="succeeded"), call_of(step()))])
    await any_store.leases.release(lease)
    run = any_store.backend.keys.run(*ids)
    stored = all_of_it - await any_redis.hstrlen(run, "document")
    await any_redis.hset(run, "stored", stored)
    read = any_store.leases._read

    async def noted(*run):
        pipelines.append(run)
        return await read(*run)

    monkeypatch.setattr(any_store.leases, "_read", noted)
    lease = await any_store.leases.acquire(*ids, "w")
    assert len(pipelines) == reads
    assert (lease.run.id, len(lease.turns), len(lease.steps)) == (ids[1], 1, 1)


@pytest.mark.parametrize("way", ["given up", "final"])
async def test_lease_of_a_run_that_is_over_wakes_the_next_in_line(store, leased, redis, way):
    """Whoever finds it over: the one that ended it may have died before it did."""
    lease = await leased()
    following = document(lease.session.id)
    await store.runs.create(following, "enqueue")
    if way == "given up":
        lease = await use_up_attempts(store, redis, lease)
    else:
        await store.progress.finish(lease, DONE)
    await woken(store)
    assert await store.leases.acquire(lease.session.id, lease.run.id, "worker-x") is None
    assert await woken(store) == [following.id]


async def test_lease_is_given_back_while_a_run_waits_for_a_person(store, leased):
    """No stray wake-up starts it, its owner cannot write any more, and waiting is no attempt."""
    lease = await leased()
    ids = lease.session.id, lease.run.id
    for _ in range(5):
        revision = (await store.runs.get(*ids)).revision
        await store.leases.park(lease, '{"question":"which?"}')
        run = await store.runs.get(*ids)
        assert (run.status, run.revision) == ("awaiting_input", revision + 1)
        assert await store.leases.acquire(*ids, "stray") is None
        with pytest.raises(Fenced):
            await store.progress.record(lease, [(step(status="succeeded"), call_of(step()))])
        await answer(store, ids)
        lease = await store.leases.acquire(*ids, "next")
    assert lease is not None
    assert (await event_types(store, ids[0])).count("run.awaiting_input") == 5


async def answer(store, ids):
    """Let a run go on, as a person's answer does."""
    run = store.backend.keys.run(*ids)
    await store.backend.redis.hset(run, "status", "queued")


async def test_lease_of_a_run_that_waits_is_given_back_once(store, leased):
    """A park whose answer was lost comes again: one event, and no second revision."""
    lease = await leased()
    for _ in range(2):
        await store.leases.park(lease, "{}")
    assert (await event_types(store, lease.session.id)).count("run.awaiting_input") == 1


async def test_lease_of_a_run_that_was_to_be_cancelled_ends_instead_of_waiting(store, leased):
    """The cancel came while its planner made up a question: the run waited for ever, 202 or not."""
    lease = await leased()
    ids = lease.session.id, lease.run.id
    following = document(ids[0])
    await store.runs.create(following, "queue")
    await store.runs.cancel(*ids)
    await woken(store)
    for _ in range(2):  # an answer may be lost
        await store.leases.park(lease, "{}")
        assert await woken(store) == [following.id]
    assert (await store.runs.get(*ids)).status == "cancelled"
    types = await event_types(store, ids[0])
    assert (types.count("run.cancelled"), types.count("run.awaiting_input")) == (1, 0)


@pytest.mark.parametrize("way", ["release", "park", "silence"])
async def test_lease_says_what_earlier_ones_took(store, leased, redis, way):
    """A budget counts time under a lease: not in line, not waiting, not after an owner's death."""
    lease = await leased()
    assert lease.spent == timedelta()
    ids, run = (lease.session.id, lease.run.id), f"test:{{{lease.session.id}}}:run:{lease.run.id}"
    now = await server_time(redis)
    await redis.hset(run, "since", now - 3000)
    if way == "release":
        await store.leases.release(lease)
    elif way == "park":
        await store.leases.park(lease, "{}")
        await answer(store, ids)
    else:
        await redis.hset(run, "since", now - 63_000)
        await expire_lease(redis, lease, ago=60_000)
    second = await store.leases.acquire(*ids, "next")
    assert timedelta(seconds=2.9) < second.spent < timedelta(seconds=5)


async def test_lease_that_is_given_back_is_a_new_revision(store, leased):
    """Whoever holds an ETag of the running run has an old one."""
    lease = await leased()
    ids = lease.session.id, lease.run.id
    revision = (await store.runs.get(*ids)).revision
    await store.leases.release(lease)
    assert (await store.runs.get(*ids)).revision == revision + 1
