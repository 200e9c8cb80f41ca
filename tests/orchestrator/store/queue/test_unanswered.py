"""Deadlines of answers: a run that nobody answers in time ends, says so, and lets the next one start."""

from datetime import timedelta

from common.approvals.reviews import ApprovalAnswer
from common.sessions import SessionPatch
from orchestrator.store.approvals.reviews import Said
from orchestrator.store.backend import StoreConfig
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.store import make_store
from tests.orchestrator.builders import (
    ask_approval,
    begun,
    code_of,
    document,
    event_types,
    review,
    server_time,
    woken,
)

HOUR = timedelta(hours=1)


def ids_of(lease):
    """Return what names a run."""
    return lease.session.id, lease.run.id


async def let_it_pass(store, redis, lease):
    """Let the time to answer pass."""
    past = await server_time(redis) - 1000
    await redis.hset(store.backend.keys.run(*ids_of(lease)), "answer_by", past)
    await redis.zadd("test:parked", {RunRef.of(lease).member: past}, xx=True)


async def look_at(store, redis, lease):
    """Let the reaper look at a run now; return when it will look again."""
    member = RunRef.of(lease).member
    await redis.zadd("test:parked", {member: 1}, xx=True)
    await store.reaper.reap()
    return await redis.zscore("test:parked", member)


async def answer(store, lease):
    """Approve of what waits."""
    said = Said(1, ApprovalAnswer(decision="approve"), review("approved"), "approval.received", {})
    await store.reviews.say(*ids_of(lease), said, user_id="ann")


async def test_unanswered_run_fails_and_the_next_one_starts(any_store, any_redis):
    """Truthfully: nothing of what waited has been done."""
    lease = await begun(any_store)
    following = document(lease.session.id)
    await any_store.runs.create(following, "enqueue")
    await ask_approval(any_store, lease, patience=timedelta(seconds=90))
    await woken(any_store)
    await let_it_pass(any_store, any_redis, lease)
    await any_store.reaper.reap()
    run = await any_store.runs.get(*ids_of(lease))
    assert (run.status, run.error.code, run.error.outcome) == (
        "failed", "deadline_exceeded", "not_executed"
    )  # fmt: skip
    assert "Nobody has answered within 90 seconds" in run.error.detail
    assert run.error.context == {"limit": 90}
    last = (await any_store.events.after(lease.session.id, 0, 100)).events[-1]
    assert (last.type, last.data["error"]["code"]) == ("run.failed", "deadline_exceeded")
    assert await woken(any_store) == [following.id]
    assert RunRef.of(lease).member not in await any_redis.zrange("test:parked", 0, -1)
    await any_store.reaper.reap()
    assert (await event_types(any_store, lease.session.id)).count("run.failed") == 1


async def test_unanswered_run_is_ended_once_when_the_script_is_sent_twice(store, redis):
    """The next run is woken all the same: by whoever gets the answer."""
    lease = await begun(store)
    following = document(lease.session.id)
    await store.runs.create(following, "enqueue")
    await ask_approval(store, lease, patience=HOUR)
    await let_it_pass(store, redis, lease)
    for _ in range(2):
        answer = await store.backend.script("expire_answer", *ids_of(lease), '{"code":"x"}')
        assert answer == ["failed", following.id]
    assert (await event_types(store, lease.session.id)).count("run.failed") == 1


async def test_unanswered_run_whose_reaper_died_is_found_by_another(store, redis):
    """Between its end and the wake-up of the next: the index still holds it."""
    lease = await begun(store)
    following = document(lease.session.id)
    await store.runs.create(following, "enqueue")
    await ask_approval(store, lease, patience=HOUR)
    await woken(store)
    await let_it_pass(store, redis, lease)
    await store.backend.script("expire_answer", *ids_of(lease), '{"code":"x"}')
    await store.reaper.reap()
    assert await woken(store) == [following.id]


async def test_answer_is_awaited_as_long_as_there_is_time(any_store, any_redis):
    """And for ever where there is no deadline."""
    lease, patient = await begun(any_store), await begun(any_store)
    await ask_approval(any_store, lease, patience=HOUR)
    await ask_approval(any_store, patient)
    for waiting in (lease, patient):
        await look_at(any_store, any_redis, waiting)
        run = await any_store.runs.get(*ids_of(waiting))
        assert run.status == "awaiting_approval"
    due = (await any_store.reviews.get(*ids_of(lease))).answer_by
    assert abs(due.timestamp() - (await server_time(any_redis)) / 1000 - 3600) < 60
    assert (await any_store.reviews.get(*ids_of(patient))).answer_by is None


async def test_answer_is_awaited_until_its_deadline_whoever_would_end_it(any_store):
    """A reaper may have looked before the run asked anew, or by the clock of a server that is gone."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease, patience=HOUR)
    given = await any_store.backend.script("expire_answer", *ids_of(lease), "{}")
    assert given == ["going on", ""]
    assert (await any_store.runs.get(*ids_of(lease))).status == "awaiting_approval"


async def test_deadline_of_an_answer_is_told_of_before_the_run_waits(store, redis, monkeypatch):
    """A crash in between leaves a look too many, and none too few: it comes a lease later, and finds out."""
    lease, noted, script = await begun(store), [], store.backend.script

    async def noting(name, *arguments, **keywords):
        if name == "park":
            noted.append(await redis.zscore("test:parked", RunRef.of(lease).member))
        return await script(name, *arguments, **keywords)

    monkeypatch.setattr(store.backend, "script", noting)
    before = await server_time(redis)
    await ask_approval(store, lease, patience=HOUR)
    assert [before + 4900 < moment < before + 10_000 for moment in noted] == [True]


async def test_deadline_of_an_answer_is_not_put_off_by_a_look(any_store, any_redis):
    """The reaper looks at a waiting run to keep its session, at half its time to live."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease, patience=HOUR)
    again = await look_at(any_store, any_redis, lease)
    due = (await any_store.reviews.get(*ids_of(lease))).answer_by
    assert again == due.timestamp() * 1000


async def test_deadline_of_an_answer_beyond_the_sessions_time_keeps_the_session(any_redis):
    """It is looked at for both, whichever comes first."""
    store = make_store(any_redis, "test", StoreConfig(session_ttl=timedelta(seconds=60)))
    lease = await begun(store)
    await ask_approval(store, lease, patience=HOUR)
    again = await look_at(store, any_redis, lease)
    assert again <= await server_time(any_redis) + 30_000


async def test_session_with_less_time_than_its_run_knows_of_is_kept_while_that_waits(
    any_store, any_redis
):
    """It was changed under the run's lease: to note the deadline alone would let the session go."""
    lease = await begun(any_store)
    await any_store.session_changes.patch(lease.session, SessionPatch(ttl=60), None)
    await ask_approval(any_store, lease, patience=HOUR)
    member = RunRef.of(lease).member
    assert await any_redis.zscore("test:parked", member) <= await server_time(any_redis) + 5000
    assert await look_at(any_store, any_redis, lease) <= await server_time(any_redis) + 30_000


async def test_deadline_that_is_noted_while_the_reaper_looks_is_kept(store, redis, monkeypatch):
    """It has read the run as running, and would put the look off for days."""
    lease, script = await begun(store), store.backend.script

    async def asked_before(name, *arguments, **keywords):
        if name == "touch":  # what the reaper does once it has read
            monkeypatch.setattr(store.backend, "script", script)
            await ask_approval(store, lease, patience=timedelta(seconds=30))
        return await script(name, *arguments, **keywords)

    monkeypatch.setattr(store.backend, "script", asked_before)
    again = await look_at(store, redis, lease)
    assert again <= await server_time(redis) + 5000
    again = await look_at(store, redis, lease)
    assert again <= await server_time(redis) + 30_000


async def test_answer_that_comes_too_late_is_refused_before_the_reaper_has_looked(
    any_store, any_redis
):
    """Who was given an hour may rely on it that nothing happens after that."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease, patience=HOUR)
    await let_it_pass(any_store, any_redis, lease)
    assert await code_of(answer(any_store, lease)) == "invalid_state"
    await any_store.reaper.reap()
    assert (await any_store.runs.get(*ids_of(lease))).status == "failed"
    assert (await any_store.reviews.get(*ids_of(lease))).answer_by is None


async def test_answered_run_has_no_deadline_any_more(any_store, any_redis):
    """It goes on for as long as its budget lasts, and asks anew with a time of its own."""
    lease = await begun(any_store)
    await ask_approval(any_store, lease, patience=HOUR)
    due = await any_redis.zscore("test:parked", RunRef.of(lease).member)
    await answer(any_store, lease)
    assert (await any_store.backend.script("expire_answer", *ids_of(lease), "{}")) == [
        "going on",
        "",
    ]
    again = await any_store.leases.acquire(*ids_of(lease), "another")
    await ask_approval(any_store, again, t=2)
    await any_redis.zadd("test:parked", {RunRef.of(lease).member: due})
    await look_at(any_store, any_redis, lease)
    assert (await any_store.runs.get(*ids_of(lease))).status == "awaiting_approval"
    assert (await any_store.reviews.get(*ids_of(lease))).answer_by is None


async def test_unanswered_run_is_ended_by_a_full_store(real_redis):
    """What has to end can always be ended, and gives its room back."""
    store = make_store(real_redis, "test", StoreConfig())
    lease = await begun(store)
    await ask_approval(store, lease, patience=HOUR)
    await let_it_pass(store, real_redis, lease)
    await real_redis.config_set("maxmemory", "1")
    answer = await store.backend.script("expire_answer", *ids_of(lease), '{"code":"x"}')
    assert answer[0] == "failed"
    await real_redis.config_set("maxmemory", "0")
