"""The reaper: no run is forgotten, none is looked at too often, and the indexes are put right."""

from common.ids import new_id
from orchestrator.store.queue.reaper import BATCH
from orchestrator.store.queue.refs import RunRef
from tests.orchestrator.builders import (
    DONE,
    document,
    ending_fields,
    expire_lease,
    server_time,
    woken,
)

LONG_AGO = 60_000


async def queued_run(store, session, user="ann"):
    """Start a run in a session of its own."""
    opened = await session(user)
    run = document(opened.id)
    await store.runs.create(run, "reject")
    return RunRef(user, opened.id, run.id)


async def woken_long_ago(redis, ref):
    """Let the time pass since a worker was told of a run."""
    await redis.zadd("test:queued", {ref.member: await server_time(redis) - LONG_AGO})


async def test_reaper_repeats_a_lost_wake_up_by_its_age(store, session, redis):
    """Not when the stream happens to be empty: younger runs may keep coming for ever."""
    lost = await queued_run(store, session)
    assert await woken(store) == [lost.run_id]  # that worker died with it
    await woken_long_ago(redis, lost)
    younger = await queued_run(store, session)
    await store.reaper.reap()
    assert await woken(store) == [younger.run_id, lost.run_id]
    await store.reaper.reap()
    assert await woken(store) == []  # it has just been told of


async def test_reaper_leaves_a_wake_up_alone_that_no_worker_could_take_yet(store, session, redis):
    """However old it is: repeated each few seconds, it would bury a busy service in wake-ups."""
    waiting = await queued_run(store, session)
    await woken_long_ago(redis, waiting)
    await redis.delete("test:queue")
    fields = dict(zip(("user", "session", "run"), waiting, strict=True))
    await redis.xadd("test:queue", fields, id=f"{await server_time(redis) - LONG_AGO}-1")
    await redis.expire("test:queue", 60)
    await store.reaper.reap()
    assert await woken(store) == [waiting.run_id]


async def test_reaper_finds_silent_owners_and_forgets_what_is_over(store, leased, redis):
    """It leaves alone what is renewed."""
    lease = await leased()
    await woken(store)
    assert await store.reaper.find_silent() == []
    await expire_lease(redis, lease)
    assert await store.reaper.find_silent() == [RunRef.of(lease)]
    assert await woken(store) == [lease.run.id]
    assert await store.reaper.find_silent() == []  # for as long as a lease
    await store.progress.finish(lease, DONE)
    assert await redis.keys("test:running") + await redis.keys("test:queued") == []
    assert await redis.keys("test:parked") == []


async def test_reaper_looks_for_silent_owners_whatever_else_is_due(store, leased, session, redis):
    """Behind some thousand queued runs one was found after 47 s."""
    lease = await leased()
    others = {f"bob/{new_id('ses')}/{new_id('run')}": 0 for _ in range(15 * BATCH)}
    await redis.zadd("test:queued", others)
    await expire_lease(redis, lease)
    assert await store.reaper.find_silent() == [RunRef.of(lease)]


async def test_reaper_notes_the_deadline_that_an_owner_has_put_off(store, leased, redis):
    """The run's hash is the truth, the index a hint."""
    lease = await leased()
    await redis.zadd("test:running", {RunRef.of(lease).member: 1})
    assert await store.reaper.find_silent() == []
    score = await redis.zscore("test:running", RunRef.of(lease).member)
    assert score > await server_time(redis)


async def test_reaper_that_finds_a_run_final_wakes_the_next_in_line(store, leased, redis):
    """Whoever ended it died before it did."""
    lease = await leased()
    following = document(lease.session.id)
    await store.runs.create(following, "enqueue")
    await woken(store)
    ids = lease.session.id, lease.run.id
    await store.backend.script("finish", *ids, lease.fence, "finish", *ending_fields())
    await expire_lease(redis, lease)
    assert await store.reaper.find_silent() == []
    assert await woken(store) == [following.id]
    assert await redis.zrange("test:running", 0, -1) == []


async def test_reaper_keeps_a_run_that_is_about_to_be_stored(store, session, redis, monkeypatch):
    """The index comes first: a reaper in between must not take the run out of it for ever."""
    script = store.backend.script

    async def reaped_before(name, *arguments, **keywords):
        if name == "create_run":
            await store.reaper.reap()
        return await script(name, *arguments, **keywords)

    monkeypatch.setattr(store.backend, "script", reaped_before)
    ref = await queued_run(store, session)
    await woken(store)  # by a worker that dies with it
    await woken_long_ago(redis, ref)
    await store.reaper.reap()
    assert await woken(store) == [ref.run_id]


async def test_reaper_forgets_an_entry_whose_run_never_came(store, redis):
    """A crash between the index and the run leaves such a one; a young one may still come."""
    coming, lost = (RunRef("ann", "ses", run) for run in (new_id("run"), f"run_{'0' * 32}"))
    for ref in (coming, lost):
        await store.queue.announce(ref)
    await store.reaper.reap()
    assert await redis.zrange("test:queued", 0, -1) == [coming.member]


async def test_reaper_is_not_held_up_by_runs_that_are_not_stored(store, session, redis):
    """They filled each of its looks, and runs behind them were never seen."""
    for _ in range(BATCH):
        await store.queue.announce(RunRef("ann", new_id("ses"), new_id("run")))
    lost = await queued_run(store, session, "zoe")
    await woken(store)
    await store.queue.announce(lost)  # as the last of those that are due
    await store.reaper.reap()
    assert await woken(store) == [lost.run_id]


async def test_reaper_keeps_waiting_runs_from_expiring(store, leased, redis):
    """A run that waits for a person, and one in line behind it: nobody else touches them."""
    lease = await leased()
    following = document(lease.session.id)
    await store.runs.create(following, "enqueue")
    await store.leases.park(lease, "{}")
    assert await redis.zcard("test:parked") == 2
    keys = await redis.keys(f"test:{{{lease.session.id}}}:*")
    for key in keys:
        await redis.pexpire(key, 30_000)
    for member in await redis.zrange("test:parked", 0, -1):
        await redis.zadd("test:parked", {member: 1})
    await store.reaper.reap()
    assert min([await redis.ttl(key) for key in keys]) > LONG_AGO / 1000
    half = store.backend.config.session_ttl.total_seconds() * 500
    [(_, score), _] = await redis.zrange("test:parked", 0, -1, withscores=True)
    assert abs(score - half - await server_time(redis)) < LONG_AGO


async def test_reaper_puts_a_run_into_the_index_that_it_belongs_to(store, leased, session, redis):
    """Of a run in a wrong one, or in none but the one that holds all."""
    lease, ready = await leased(), await queued_run(store, session)
    mine = RunRef.of(lease)
    await redis.delete("test:running", "test:queued")
    for ref in (mine, ready):
        await redis.zadd("test:parked", {ref.member: 1})
    await redis.zadd("test:running", {ready.member: 1})
    await woken(store)
    await store.reaper.find_silent()
    await store.reaper.reap()
    assert await redis.zrange("test:running", 0, -1) == [mine.member]
    assert await redis.zrange("test:queued", 0, -1) == [ready.member]
    assert await woken(store) == [ready.run_id]


async def test_reaper_looks_at_a_run_in_line_in_the_index_of_waiting_ones_alone(
    store, session, redis
):
    """500 waiting runs must not become thousands of wake-ups."""
    ref = await queued_run(store, session)
    second = ref.sibling(document(ref.session_id).id)
    await store.runs.create(document(ref.session_id, id=second.run_id), "enqueue")
    assert await redis.zrange("test:queued", 0, -1) == [ref.member]
    await store.queue.announce(second)
    await woken(store)
    await store.reaper.reap()
    assert await woken(store) == []
    assert await redis.zrange("test:queued", 0, -1) == [ref.member]
    assert await redis.zcard("test:parked") == 2


async def test_reaper_passes_over_an_active_run_that_is_gone(store, session, redis):
    """Its session was busy for ever."""
    gone = await queued_run(store, session)
    following = document(gone.session_id)
    await store.runs.create(following, "enqueue")
    await woken(store)
    await redis.delete(f"test:{{{gone.session_id}}}:run:{gone.run_id}")
    await woken_long_ago(redis, gone)
    await store.reaper.reap()
    assert await woken(store) == [gone.run_id]
    assert await store.leases.acquire(gone.session_id, gone.run_id, "w") is None
    assert await woken(store) == [following.id]


async def test_reaper_takes_over_what_format_2_has_left(store, leased, session, redis):
    """Queued and running runs of the release before, in the one index that it had."""
    running, ready = RunRef.of(await leased()), await queued_run(store, session)
    await redis.delete(
        "test:running", "test:queued", "test:parked", "test:queue",
        *(f"test:user:{{ann}}:{name}" for name in ("ready", "woken", "running")),
    )  # fmt: skip
    entries = {f"{ref.session_id}/{ref.run_id}": 0 for ref in (running, ready)}
    await redis.zadd("test:leases", {**entries, "ses_gone/run_gone": 0})
    await store.reaper.reap()
    assert await woken(store) == [ready.run_id]
    assert await redis.exists("test:leases") == 0
    assert await redis.zrange("test:running", 0, -1) == [running.member]
    assert await redis.zcard("test:parked") == 2
