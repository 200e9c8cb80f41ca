"""The queue and its reaper: no run is forgotten, and none is looked at too often."""

from datetime import timedelta

from common.ids import new_id
from tests.orchestrator.builders import DONE, document, expire_lease

SECOND = timedelta(seconds=1)


async def test_queue_repeats_a_lost_wake_up(store, session):
    """The index knows the run; the stream only hints."""
    opened = await session()
    run = document(opened.id)
    await store.runs.create(run, "reject")
    assert (await store.queue.next("w1", SECOND)).run_id == run.id  # w1 dies with it
    assert await store.queue.reap() == 1
    assert (await store.queue.next("w2", SECOND)).run_id == run.id


async def test_reaper_finds_silent_owners_and_forgets_what_is_over(store, leased, redis):
    """And leaves alone what is renewed."""
    lease = await leased()
    await store.queue.next("w", SECOND)
    await store.queue.next("w", SECOND)
    assert await store.queue.reap() == 0
    await expire_lease(redis, lease)
    await redis.zadd("test:leases", {f"{lease.session.id}/{lease.run.id}": 0})
    assert await store.queue.reap() == 1
    await store.progress.finish(lease, DONE)
    await redis.zadd("test:leases", {f"{lease.session.id}/{lease.run.id}": 0})
    assert await store.queue.reap() == 0
    assert await redis.zcard("test:leases") == 0


async def test_reaper_keeps_a_run_that_is_about_to_be_stored(store, session, redis, monkeypatch):
    """The index comes first: a reaper in between must not take the run out of it for ever."""
    script = store.backend.script

    async def reaped_before(name, *arguments, **keywords):
        if name == "create_run":
            await store.queue.reap()
        return await script(name, *arguments, **keywords)

    monkeypatch.setattr(store.backend, "script", reaped_before)
    opened = await session()
    run = document(opened.id)
    await store.runs.create(run, "reject")
    await store.queue.next("w1", SECOND)  # w1 dies with it
    assert await store.queue.reap() == 1


async def test_reaper_forgets_an_entry_whose_run_never_came(store, redis):
    """A crash between the index and the run leaves such a one; a young one may still come."""
    coming, lost = new_id("run"), f"run_{'0' * 32}"
    for run_id in (coming, lost):
        await store.queue.index("ses", run_id)
    await store.queue.reap()
    assert await redis.zrange("test:leases", 0, -1) == [f"ses/{coming}"]


async def test_reaper_looks_seldom_at_a_run_in_line(store, session, redis):
    """500 waiting runs must not become thousands of wake-ups."""
    opened = await session()
    first, second = document(opened.id), document(opened.id)
    await store.runs.create(first, "reject")
    await store.runs.create(second, "enqueue")
    await store.queue.reap()
    assert await redis.zscore("test:leases", f"{opened.id}/{second.id}") > 10**12
