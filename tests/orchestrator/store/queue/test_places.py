"""Places: so many runs of one user at a time, and no wake-up for those that there is no room for."""

import pytest

from orchestrator.store.backend import StoreConfig
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.store import make_store
from tests.orchestrator.builders import (
    DONE,
    ask_approval,
    document,
    ending_fields,
    expire_lease,
    server_time,
    woken,
)

PLACES = 2


@pytest.fixture
def store(redis):
    """A store with two places for each user."""
    return make_store(redis, "test", StoreConfig(user_concurrency=PLACES))


@pytest.fixture
def start(store, session):
    """Start runs of a user, each in a session of its own; return them in their order."""

    async def runs(count, user="ann"):
        refs = []
        for _ in range(count):
            opened = await session(user)
            run = document(opened.id)
            await store.runs.create(run, "reject")
            refs.append(RunRef(user, opened.id, run.id))
        return refs

    return runs


@pytest.fixture
def lease_of(store):
    """Take a run as a worker does."""

    async def lease(ref):
        assert await store.queue.take(ref)
        return await store.leases.acquire(ref.session_id, ref.run_id, "w")

    return lease


def ids(refs):
    """Return the runs' own ids."""
    return [ref.run_id for ref in refs]


async def test_places_bound_the_wake_ups_of_each_user(store, start):
    """One user's runs do not stand between the stream and another's first."""
    many = await start(5)
    [other] = await start(1, "bob")
    assert await woken(store) == [*ids(many[:PLACES]), other.run_id]


async def test_places_are_taken_and_the_run_beyond_them_stays_in_line(store, start, lease_of):
    """A stray wake-up is dropped: whoever frees a place wakes the run."""
    first, second, third = await start(3)
    lease = await lease_of(first)
    await lease_of(second)
    assert await store.queue.take(third) is False
    await woken(store)
    await store.progress.finish(lease, DONE)
    assert await woken(store) == [third.run_id]
    assert await store.queue.take(third) is True


@pytest.mark.parametrize("way", ["finish", "release", "park", "reap"])
async def test_places_that_fall_free_wake_the_next_in_line(store, start, lease_of, redis, way):
    """Whoever frees one does it, and the reaper for an owner that died."""
    first, second, third = await start(3)
    lease = await lease_of(first)
    await lease_of(second)
    await woken(store)
    if way == "finish":
        await store.progress.finish(lease, DONE)
    elif way == "release":
        await store.leases.release(lease)
    elif way == "park":
        await ask_approval(store, lease)
    else:
        script = ("finish", first.session_id, first.run_id, lease.fence, "m", *ending_fields())
        await store.backend.script(*script)  # and dies before it frees the place
        await expire_lease(redis, lease)
        assert await store.reaper.find_silent() == []
    # What was given back is the oldest in line; the third one has to wait on.
    assert await woken(store) == [first.run_id if way == "release" else third.run_id]


async def test_places_of_cancelled_runs_in_line_go_to_the_next(store, start):
    """Its wake-up was among those that there is room for."""
    first, *_, third = await start(3)
    await woken(store)
    await store.runs.cancel(first.session_id, first.run_id)
    assert await woken(store) == [third.run_id]


async def test_places_are_kept_for_the_takeover_of_a_silent_owner(store, start, lease_of, redis):
    """For a lease: else its user's next run would have it, and the run would stand still."""
    first, second, third = await start(3)
    lease = await lease_of(first)
    await lease_of(second)
    await woken(store)
    await expire_lease(redis, lease)
    assert await store.queue.take(third) is False
    assert await store.reaper.find_silent() == [first]
    assert await store.queue.take(first) is True


async def test_places_that_nobody_freed_heal_by_themselves(store, start, redis):
    """A worker that died between place and lease has left no trace but its deadline."""
    refs = await start(3)
    for ref in refs[:PLACES]:
        assert await store.queue.take(ref)
    await woken(store)
    place = "test:user:{ann}:running"
    for ref in refs[:PLACES]:
        await redis.zadd(place, {ref.member: await server_time(redis) - 60_000})
    assert await store.queue.take(refs[2]) is True
    assert await redis.zrange(place, 0, -1) == [refs[2].member]


async def test_places_are_renewed_with_the_lease_and_not_after_its_end(
    store, start, lease_of, redis
):
    """A renewal on its way while the run ends must not take the place that is free now."""
    [ref] = await start(1)
    lease, place = await lease_of(ref), "test:user:{ann}:running"
    await redis.zadd(place, {ref.member: 1})
    await store.leases.renew(lease)
    assert await redis.zscore(place, ref.member) > await server_time(redis)
    await store.progress.finish(lease, DONE)
    await store.queue.renewed(ref, await server_time(redis) + 5000)
    assert await redis.exists(place) == 0


async def test_places_wake_a_run_once_until_its_wake_up_is_taken(store, start, lease_of):
    """Each end of a run would wake all that have room, and the stream would grow without end."""
    first, second, third = await start(3)
    lease = await lease_of(first)
    await store.progress.finish(lease, DONE)
    assert await woken(store) == ids([first, second, third])


async def test_places_say_again_what_was_not_heard(store, start, redis):
    """The answer that names a run to be woken may be lost: a lease later the next one names it."""
    refs = await start(3)
    await woken(store)
    for ref in refs:
        await redis.zadd("test:user:{ann}:woken", {ref.member: 1}, xx=True)
    await store.queue.free(refs[0])
    assert await woken(store) == ids(refs[1:])


@pytest.mark.parametrize("way", ["final", "waiting", "parked", "gone"])
async def test_places_taken_for_a_run_that_was_not_to_be_had_are_free_again(
    store, start, lease_of, redis, way
):
    """A stray wake-up, taken in vain."""
    [ref] = await start(1)
    run = ref
    if way == "waiting":
        run = ref.sibling(document(ref.session_id).id)
        await store.runs.create(document(ref.session_id, id=run.run_id), "enqueue")
    elif way == "final":
        await store.runs.cancel(*ref[1:])
    elif way == "parked":
        await store.leases.park(await lease_of(ref), "{}")
    else:
        await redis.delete(store.backend.keys.run(*ref[1:]))
    assert await store.queue.take(run) is True
    assert await store.leases.acquire(run.session_id, run.run_id, "stray") is None
    assert await redis.exists("test:user:{ann}:running") == 0


async def test_places_put_off_no_deadline_of_an_owner_by_a_stray_wake_up(
    store, start, lease_of, redis
):
    """It would hide the owner's death for as long as wake-ups come."""
    [ref] = await start(1)
    await lease_of(ref)
    deadline = await redis.zscore("test:running", ref.member)
    await redis.zadd("test:running", {ref.member: deadline - 4000})
    assert await store.queue.take(ref) is True
    assert await store.leases.acquire(ref.session_id, ref.run_id, "stray") is None
    assert await redis.zscore("test:running", ref.member) == deadline - 4000
    assert await redis.zcard("test:user:{ann}:running") == 1


async def test_places_hold_back_runs_that_the_reaper_looks_at_seldom(store, start, redis):
    """But for the next ones, whose place may fall free because its owner died."""
    for ref in await start(PLACES):
        await store.queue.take(ref)
    refs = await start(PLACES + 2)
    scores = [await redis.zscore("test:queued", ref.member) for ref in refs]
    now, lease = await server_time(redis), 5000
    assert max(scores[:PLACES]) <= now
    assert min(scores[PLACES:]) > now + lease
