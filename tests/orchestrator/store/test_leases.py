"""Leases: one owner at a time, with a fence that only grows."""

from tests.orchestrator.builders import call_of, expire_lease, step, turn


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
    await store.progress.commit_step(lease, step(status="succeeded"), call_of(step()))
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
