"""Whatever uses a session keeps all of it: its earlier runs, and its place in its user's list."""

from datetime import timedelta

import pytest

from common.ids import new_id
from common.sessions import SessionPatch
from orchestrator.store import runs, sessions
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.events import DirectCall
from orchestrator.store.sessions import keep_session
from tests.orchestrator.builders import DONE, code_of, document
from tests.orchestrator.store.test_session_life import make_runs

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
KEY = ("key", "digest")


async def open_session(store):
    """Open a session, for a client's key."""
    return await store.sessions.create("ann", None, {}, None, KEY)


async def begin(store, session):
    """Start a run and return its lease."""
    run = document(session.id)
    await store.runs.create(run, "reject", user_id="ann")
    return await store.leases.acquire(session.id, run.id, "w")


async def run_to_the_end(store, session):
    """Start a run and end it; return its id."""
    lease = await begin(store, session)
    await store.progress.finish(lease, DONE)
    return lease.run.id


async def age(redis, time):
    """Let time go by for everything that is stored."""
    elapsed = round(time.total_seconds() * 1000)
    for key in await redis.keys("test:*"):
        if (left := await redis.pttl(key)) > elapsed:
            await redis.pexpire(key, left - elapsed)
        else:
            await redis.delete(key)
        if key.endswith(":session"):
            for stamp in ("kept", "listed"):
                await redis.hincrby(key, stamp, -elapsed)


async def outlasts(store, redis, session, run_id):
    """Tell whether a run is there for at least as long as its session."""
    keys = store.backend.keys
    left = await redis.pttl(keys.run(session.id, run_id))
    return left >= await redis.pttl(keys.session(session.id)) > 0


async def note(store, session):
    """Note a call without a run."""
    await store.direct_calls.note(session.id, DirectCall(id=new_id("call"), tool="write_file"))


async def open_again(store, session):
    """Open it by its client's key."""
    assert (await store.sessions.create("ann", None, {}, None, KEY)).id == session.id


async def cancel_next(store, session):
    """Start a run without a worker and cancel it."""
    run = document(session.id)
    await store.runs.create(run, "reject")
    await store.runs.cancel(session.id, run.id)


async def test_session_whose_runs_are_renewed_when_it_is_due_stays_listed(any_store, any_redis):
    """Each run began soon after the last renewal, which had kept the runs: the list was never kept."""
    store = any_store
    session = await open_session(store)
    for _ in range(10):
        lease = await begin(store, session)
        await age(any_redis, DAY - HOUR)
        await store.leases.renew(lease)
        await store.progress.finish(lease, DONE)
        await age(any_redis, HOUR)
    assert [item.id for item in (await store.sessions.list("ann", 10, None)).items] == [session.id]
    unused = store.workspaces.require_unused("ann", session.workspace)
    assert await code_of(unused) == "workspace_in_use"


@pytest.mark.parametrize("use", [note, open_again, cancel_next])
async def test_run_outlasts_a_session_that_is_used_later(any_store, any_redis, use):
    """Only renewals and noted calls kept it: it expired before the session that it belongs to."""
    session = await open_session(any_store)
    run_id = await run_to_the_end(any_store, session)
    for _ in range(4):
        await age(any_redis, 2 * DAY)
        await use(any_store, session)
        assert await outlasts(any_store, any_redis, session, run_id)


async def test_run_outlasts_a_session_in_which_a_person_answers(any_store, any_redis):
    """The next run had waited for days, and was over before its lease was ever renewed."""
    store = any_store
    session = await open_session(store)
    run_id = await run_to_the_end(store, session)
    waiting = await begin(store, session)
    await store.leases.park(waiting, "{}")
    await age(any_redis, 3 * DAY)
    await store.messages.send(session.id, waiting.run.id, "yes", None, user_id="ann")
    assert await outlasts(store, any_redis, session, run_id)


async def test_calls_without_a_run_keep_more_runs_than_one_of_them_goes_through(
    any_store, any_redis
):
    """Each began with the oldest hundred, and those behind them expired."""
    session = await open_session(any_store)
    await make_runs(any_redis, session.id, 150)
    await any_redis.hset(any_store.backend.keys.session(session.id), "kept", 0)
    for _ in range(2):
        await note(any_store, session)
    made = await any_redis.zrange(any_store.backend.keys.runs(session.id), 0, -1)
    assert len(made) == 150
    for run_id in made:
        assert await outlasts(any_store, any_redis, session, run_id)


async def test_change_of_something_else_does_not_begin_to_keep_the_runs_anew(any_store, any_redis):
    """Calls and changes in turn would keep the oldest hundred for ever, and no others."""
    session = await open_session(any_store)
    await make_runs(any_redis, session.id, 150)
    await any_redis.hset(any_store.backend.keys.session(session.id), "kept", 0)
    await note(any_store, session)
    change = SessionPatch(metadata={"a": "b"})
    await any_store.session_changes.patch(session, change, None)
    for run_id in await any_redis.zrange(any_store.backend.keys.runs(session.id), 0, -1):
        assert await outlasts(any_store, any_redis, session, run_id)


@pytest.mark.parametrize("due", [("kept", "listed"), ("kept",)])
async def test_start_of_a_run_keeps_all_that_its_own_write_has_begun_to_keep(
    any_store, any_redis, due
):
    """However many there are: the next write may come in days."""
    session = await open_session(any_store)
    await make_runs(any_redis, session.id, 350)
    key = any_store.backend.keys.session(session.id)
    await any_redis.hset(key, mapping=dict.fromkeys(due, 0))
    await any_store.runs.create(document(session.id), "reject")
    for run_id in (await any_redis.zrange(any_store.backend.keys.runs(session.id), 0, -1))[:350]:
        assert await outlasts(any_store, any_redis, session, run_id)


async def test_session_that_is_gone_does_not_come_back_by_being_kept(any_store, any_redis):
    """A stamp alone would be a session without an owner, which never expires."""
    session = await open_session(any_store)
    run_id = await run_to_the_end(any_store, session)
    await any_redis.delete(any_store.backend.keys.session(session.id))
    await keep_session(any_store.backend, session.id, run_id)
    assert not await any_redis.exists(any_store.backend.keys.session(session.id))


async def test_list_that_could_not_be_kept_is_kept_by_the_next_run(
    any_store, any_redis, monkeypatch
):
    """It is noted as kept only afterwards."""
    session, index = await open_session(any_store), any_store.backend.keys.user_sessions("ann")
    await any_redis.hset(any_store.backend.keys.session(session.id), "listed", 0)
    await any_redis.delete(index)

    async def away(*_):
        raise StoreUnavailable("unavailable", "away")

    with monkeypatch.context() as patched:
        for module in (runs, sessions):
            patched.setattr(module, "keep_listed", away)
        await any_store.runs.create(document(session.id), "queue")
    await any_store.runs.create(document(session.id), "queue")
    assert await any_redis.zrange(index, 0, -1) == [session.id]
