"""Sessions, runs, leases and events, on a Redis in this process."""

from datetime import timedelta

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from common.errors import AgenticError, SystemFault
from common.ids import new_id
from common.plans import Plan
from common.runs import RunResult
from orchestrator.store.backend import StoreConfig
from orchestrator.store.fencing import Fenced
from orchestrator.store.records import Ending
from orchestrator.store.store import make_store
from tests.orchestrator.conftest import document, event_types, keys_without_expiry, step

DONE = Ending("succeeded", result=RunResult(answer="ok", changes=[]))
SECOND = timedelta(seconds=1)


async def code_of(pending) -> str:
    """Return the code of the error that a call ends with."""
    with pytest.raises(AgenticError) as caught:
        await pending
    return caught.value.code


async def expire_lease(redis, lease):
    """Let the lease run out, as time would."""
    await redis.hset(f"test:{{{lease.session.id}}}:run:{lease.run.id}", "deadline", "1")


async def test_the_leak_check_finds_a_key_without_expiry():
    """The fixture that guards all tests here can fail."""
    redis = FakeAsyncRedis(decode_responses=True)
    await redis.set("short", 1, ex=5)
    await redis.set("for ever", 1)
    assert await keys_without_expiry(redis) == ["for ever"]
    await redis.aclose()


# Sessions


async def test_a_session_belongs_to_its_user(store, session):
    """Another user's session does not exist."""
    opened = await session(workspace="w", metadata={"a": "b"}, ttl=timedelta(seconds=60))
    assert (opened.user_id, opened.workspace, opened.ttl) == ("ann", "w", 60.0)
    assert await store.sessions.get(opened.id, "ann") == opened
    assert await code_of(store.sessions.get(opened.id, "bob")) == "session_not_found"
    assert await code_of(store.sessions.delete(opened.id, "bob")) == "session_not_found"


async def test_a_sessions_own_expiry_is_kept(store, session, redis):
    """Shorter than the service's, never longer, and for its runs as well."""
    short = await session(ttl=timedelta(seconds=60))
    await store.runs.create(document(short.id), "reject")
    await store.queue.reap()
    for key in await redis.keys(f"test:{{{short.id}}}:*"):
        assert 0 < await redis.ttl(key) <= 60
    assert (await session(ttl=timedelta(days=999))).ttl == StoreConfig().session_ttl.total_seconds()


async def test_sessions_are_listed_by_time_in_pages(store, session, redis):
    """Newest first; what has gone is not among them."""
    opened = [await session() for _ in range(5)]
    await redis.delete(f"test:{{{opened[1].id}}}:session")
    first = await store.sessions.list("ann", 3, None)
    second = await store.sessions.list("ann", 3, first.next_cursor)
    listed = [*first.items, *second.items]
    assert {item.id for item in listed} == {item.id for item in opened} - {opened[1].id}
    assert second.next_cursor is None
    assert (await store.sessions.list("bob", 3, None)).items == []


async def test_listing_forgets_only_sessions_that_cannot_come_any_more(store, redis):
    """The index comes first: a listing in mid-creation must not hide the session for ever."""
    index, expired, coming = "test:user:{ann}:sessions", f"ses_{'0' * 32}", new_id("ses")
    await redis.zadd(index, {expired: 0, coming: 0})
    await redis.expire(index, 60)
    assert (await store.sessions.list("ann", 3, None)).items == []
    assert await redis.zrange(index, 0, -1) == [coming]


async def test_the_same_key_opens_the_same_session(session):
    """A client that lost the answer asks again."""
    first = await session(idempotency=("key", "digest"))
    assert await session(idempotency=("key", "digest")) == first
    assert await code_of(session(idempotency=("key", "other"))) == "idempotency_conflict"
    assert (await session("bob", idempotency=("key", "digest"))).id != first.id


async def test_deleting_takes_everything_but_not_while_a_run_is_active(store, session, redis):
    """A worker may still write."""
    opened = await session()
    run = document(opened.id)
    await store.runs.create(run, "reject")
    assert await code_of(store.sessions.delete(opened.id, "ann")) == "session_busy"
    await store.runs.cancel(opened.id, run.id)
    await store.sessions.delete(opened.id, "ann")
    assert await redis.keys(f"test:{{{opened.id}}}:*") == []
    assert await code_of(store.runs.create(document(opened.id), "reject")) == "session_not_found"


# Runs


async def test_one_run_at_a_time(store, session):
    """A second one is refused, or waits in line and is woken."""
    opened = await session()
    first, second, third = (document(opened.id) for _ in range(3))
    await store.runs.create(first, "reject")
    assert await code_of(store.runs.create(document(opened.id), "reject")) == "session_busy"
    await store.runs.create(second, "enqueue")
    await store.runs.create(third, "enqueue")
    assert await store.leases.acquire(opened.id, second.id, "w") is None
    await store.runs.cancel(opened.id, second.id)
    lease = await store.leases.acquire(opened.id, first.id, "w")
    await store.progress.finish(lease, DONE)
    assert (await store.sessions.get(opened.id, "ann")).active_run == third.id
    woken = {(await store.queue.next("w", SECOND)).run_id for _ in range(2)}
    assert woken == {first.id, third.id}


async def test_the_line_has_an_end(redis):
    """Otherwise one client could fill the store."""
    store = make_store(redis, "test", StoreConfig(max_waiting=1))
    opened = await store.sessions.create("ann", None, {}, None)
    await store.runs.create(document(opened.id), "enqueue")
    await store.runs.create(document(opened.id), "enqueue")
    assert await code_of(store.runs.create(document(opened.id), "enqueue")) == "queue_full"


async def test_the_same_key_starts_the_same_run(store, session):
    """Also while the first one is still active."""
    opened = await session()
    run = document(opened.id)
    assert await store.runs.create(run, "reject", ("key", "digest")) == run.id
    again = document(opened.id)
    assert await store.runs.create(again, "reject", ("key", "digest")) == run.id
    other = store.runs.create(document(opened.id), "reject", ("key", "other"))
    assert await code_of(other) == "idempotency_conflict"
    assert await code_of(store.runs.get(opened.id, again.id)) == "run_not_found"


async def test_a_script_that_is_sent_twice_acts_once(store, session):
    """A client library may resend after a stall."""
    opened = await session()
    run = document(opened.id)
    for _ in range(2):
        await store.runs.create(run, "reject")
    first, second = [await store.leases.acquire(opened.id, run.id, "same") for _ in range(2)]
    assert first.fence == second.fence
    plan = Plan.model_validate({"steps": [{"name": "a", "tool": "t"}]})
    for _ in range(2):
        await store.progress.record_plan(first, plan)
    for _ in range(2):
        await store.progress.start_step(first, step())
    for _ in range(2):
        await store.progress.commit_step(first, step(status="succeeded"))
    for _ in range(2):
        await store.progress.finish(first, DONE)
    assert await event_types(store, opened.id) == [
        "session.created", "run.queued", "run.started", "run.planned", "step.started",
        "step.succeeded", "run.succeeded",
    ]  # fmt: skip


async def test_runs_are_listed_newest_first(store, session):
    """By id, which sorts by time."""
    opened = await session()
    for _ in range(3):
        run = document(opened.id)
        await store.runs.create(run, "reject")
        await store.runs.cancel(opened.id, run.id)
    first = await store.runs.list(opened.id, 2, None)
    second = await store.runs.list(opened.id, 2, first.next_cursor)
    assert (len(first.items), len(second.items), second.next_cursor) == (2, 1, None)
    assert {item.status for item in first.items} == {"cancelled"}


async def test_a_cancel_ends_what_nobody_executes_and_asks_who_does(store, leased, session):
    """The flag is the truth; an ended run stays as it is."""
    lease = await leased()
    ids = lease.session.id, lease.run.id
    assert (await store.runs.cancel(*ids)).status == "running"
    assert await store.leases.renew(lease) is True
    await store.progress.finish(lease, Ending("cancelled", reason="asked"))
    assert (await store.runs.cancel(*ids)).status == "cancelled"
    assert await code_of(store.runs.cancel(ids[0], new_id("run"))) == "run_not_found"
    assert (await event_types(store, ids[0])).count("run.cancelled") == 1


# Leases


async def test_a_run_has_one_owner(store, leased):
    """Whoever comes second gets nothing until the lease has run out."""
    lease = await leased()
    assert await store.leases.acquire(lease.session.id, lease.run.id, "worker-2") is None
    assert await store.leases.renew(lease) is False


async def test_an_old_owner_cannot_write_any_more(store, leased, redis):
    """It may only have been paused: every write shows its fence."""
    old = await leased()
    await store.progress.start_step(old, step())
    await expire_lease(redis, old)
    new = await store.leases.acquire(old.session.id, old.run.id, "worker-2")
    assert new.fence > old.fence
    assert [made.status for made in new.steps] == ["running"]
    for write in (
        store.leases.renew(old),
        store.progress.record_plan(
            old, Plan.model_validate({"steps": [{"name": "a", "tool": "t"}]})
        ),
        store.progress.start_step(old, step(2)),
        store.progress.commit_step(old, step(status="succeeded")),
        store.progress.finish(old, DONE),
        store.leases.release(old),
    ):
        with pytest.raises(Fenced):
            await write
    await store.progress.commit_step(new, step(status="succeeded"))
    assert "run.resumed" in await event_types(store, old.session.id)


async def test_the_fence_grows_with_the_clock_and_the_floor(store, leased):
    """It does not repeat after a failover to a replica that does not know the last one."""
    first = await leased()
    assert first.fence > 1_700_000_000_000_000
    floor = first.fence + 10**12
    await store.leases.release(first, floor=floor)
    second = await store.leases.acquire(first.session.id, first.run.id, "w")
    assert second.fence == floor + 1
    await store.leases.release(second, floor=first.fence)
    assert (await store.leases.acquire(first.session.id, first.run.id, "w")).fence == floor + 2


async def test_a_run_that_kills_its_workers_is_given_up(store, leased, redis):
    """Past the cap on attempts since the last committed step; a commit begins a new count."""
    lease = await leased()
    ids = lease.session.id, lease.run.id
    await store.progress.commit_step(lease, step(status="succeeded"))
    for attempt in range(3):
        await expire_lease(redis, lease)
        lease = await store.leases.acquire(*ids, f"worker-{attempt}")
        assert lease is not None
    await expire_lease(redis, lease)
    assert await store.leases.acquire(*ids, "worker-x") is None
    run = await store.runs.get(*ids)
    assert (run.status, run.error.code) == ("failed", "internal")
    assert (await store.sessions.get(ids[0], "ann")).active_run is None


async def test_a_released_run_goes_on_elsewhere_at_once(store, leased):
    """A worker that drains gives back what it keeps; that is no failed attempt."""
    lease = await leased()
    for _ in range(5):
        await store.leases.release(lease)
        lease = await store.leases.acquire(lease.session.id, lease.run.id, "other")
    assert lease is not None


async def test_outputs_are_bounded(redis):
    """Per step and per run; the receipts stay, and the error says that the effect stands."""
    store = make_store(redis, "test", StoreConfig(max_step_output=100, max_run_output=150))
    opened = await store.sessions.create("ann", None, {}, None)
    run = document(opened.id)
    await store.runs.create(run, "reject")
    lease = await store.leases.acquire(opened.id, run.id, "w")
    outputs = [{"x": "a" * 200}, {"x": "a" * 60}, {"x": "a" * 60}, None]
    stored = [
        await store.progress.commit_step(
            lease, step(n, status="succeeded", output=output, arguments={"path": "p"})
        )
        for n, output in enumerate(outputs, 1)
    ]
    assert [made.status for made in stored] == ["failed", "succeeded", "failed", "succeeded"]
    error = stored[0].error
    assert (error.code, error.outcome, error.request_id) == (
        "output_too_large",
        "executed",
        "req_1",
    )
    assert error.context["path"] == "p"
    assert (await store.runs.get(opened.id, run.id)).steps == stored


@pytest.mark.parametrize(
    ("ending", "field"),
    [
        (DONE, "result"),
        (
            Ending("failed", error=SystemFault("internal", "x").problem("orchestrator", "r")),
            "error",
        ),
        (Ending("cancelled", reason="why"), "reason"),
    ],
)
async def test_every_ending_is_kept_and_told(store, leased, ending, field):
    """The run and the last event say the same."""
    lease = await leased()
    await store.progress.finish(lease, ending)
    run = await store.runs.get(lease.session.id, lease.run.id)
    last = (await store.events.after(lease.session.id, 0, 100)).events[-1]
    assert (run.status, last.type) == (ending.status, f"run.{ending.status}")
    assert run.finished_at is not None
    assert field in last.data


# The queue and its reaper


async def test_a_lost_wake_up_is_repeated(store, session):
    """The index knows the run; the stream only hints."""
    opened = await session()
    run = document(opened.id)
    await store.runs.create(run, "reject")
    assert (await store.queue.next("w1", SECOND)).run_id == run.id  # w1 dies with it
    assert await store.queue.reap() == 1
    assert (await store.queue.next("w2", SECOND)).run_id == run.id


async def test_the_reaper_finds_silent_owners_and_forgets_what_is_over(store, leased, redis):
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


async def test_a_look_before_a_run_is_stored_loses_nothing(store, session, redis, monkeypatch):
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


async def test_an_entry_whose_run_never_came_is_forgotten_in_the_end(store, redis):
    """A crash between the index and the run leaves such a one; a young one may still come."""
    coming, lost = new_id("run"), f"run_{'0' * 32}"
    for run_id in (coming, lost):
        await store.queue.index("ses", run_id)
    await store.queue.reap()
    assert await redis.zrange("test:leases", 0, -1) == [f"ses/{coming}"]


async def test_a_run_in_line_is_looked_at_seldom(store, session, redis):
    """500 waiting runs must not become thousands of wake-ups."""
    opened = await session()
    first, second = document(opened.id), document(opened.id)
    await store.runs.create(first, "reject")
    await store.runs.create(second, "enqueue")
    await store.queue.reap()
    assert await redis.zscore("test:leases", f"{opened.id}/{second.id}") > 10**12


# Events


async def test_events_are_numbered_without_holes(store, leased):
    """A follower counts on it."""
    lease = await leased()
    for n in range(1, 4):
        await store.progress.start_step(lease, step(n))
        await store.progress.commit_step(lease, step(n, status="succeeded", output={"x": 1}))
    log = await store.events.after(lease.session.id, 0, 100)
    assert [event.seq for event in log.events] == list(range(1, log.last_seq + 1))
    done = [event for event in log.events if event.type == "step.succeeded"]
    assert all("output" not in event.data for event in done)
    assert (await store.events.after(lease.session.id, 3, 2)).events[0].seq == 4
    assert (await store.events.after(new_id("ses"), 0, 1)).last_seq is None


async def test_a_redis_that_is_gone_is_unavailable():
    """Retryable, and nothing was done."""
    server = FakeServer()
    store = make_store(FakeAsyncRedis(server=server, decode_responses=True), "test", StoreConfig())
    server.connected = False
    with pytest.raises(SystemFault) as caught:
        await store.ping()
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
