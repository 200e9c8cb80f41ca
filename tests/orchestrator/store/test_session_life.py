"""How long a session lives: with all that belongs to it, for as long as it is used or waited in."""

import pytest

from common.ids import new_id
from orchestrator.store import sessions
from orchestrator.store.sessions import keep_session
from tests.orchestrator.builders import DONE, call_of, code_of, document, step

WEEK = 7 * 24 * 3600
SOON = 30
"""Seconds that are left of something in these tests before it is kept for a week again."""


async def open_session(store, user="ann"):
    """Open a session."""
    return await store.sessions.create(user, None, {}, None)


async def run_to_the_end(store, session_id, key=None):
    """Start a run that makes one step, and end it."""
    run = document(session_id)
    await store.runs.create(run, "reject", key and (key, "digest"))
    lease = await store.leases.acquire(session_id, run.id, "w")
    await store.progress.record(lease, [(step(), call_of(step()))])
    await store.progress.finish(lease, DONE)
    return run


async def age(redis, pattern):
    """Let most of the time go by for these keys; return them."""
    keys = await redis.keys(pattern)
    for key in keys:
        await redis.expire(key, SOON)
        if key.endswith(":session"):
            await redis.hset(key, mapping={"kept": "1", "listed": "1"})
    return keys


async def left(redis, keys):
    """Return the least and the most that these keys have left, in seconds."""
    times = [await redis.ttl(key) for key in keys]
    return min(times), max(times)


async def make_runs(redis, session_id, count):
    """Put so many ended runs with their keys into a session, as they would be stored."""
    base = f"test:{{{session_id}}}"
    pipeline = redis.pipeline(transaction=False)
    for _ in range(count):
        run = document(session_id)
        key = f"{base}:run:{run.id}"
        fields = {"document": run.model_dump_json(), "status": "succeeded", "revision": "1"}
        times = {"created": "1", "idem": f"{base}:idem:{run.id}"}
        pipeline.hset(key, mapping=fields | times).hset(f"{key}:steps", "1", "{}")
        pipeline.set(f"{base}:idem:{run.id}", f"{run.id} digest", ex=SOON)
        pipeline.expire(key, SOON).expire(f"{key}:steps", SOON)
        pipeline.zadd(f"{base}:runs", {run.id: 0})
    await pipeline.execute()


async def test_session_expires_with_its_earlier_runs_and_their_keys(any_store, any_redis):
    """A run that went before its session was missing in its history, and its key started another."""
    store, opened = any_store, await open_session(any_store)
    first = await run_to_the_end(store, opened.id, "key")
    keys = await age(any_redis, f"test:{{{opened.id}}}:*")
    assert any(":idem:" in key for key in keys)
    await run_to_the_end(store, opened.id)
    least, most = await left(any_redis, await any_redis.keys(f"test:{{{opened.id}}}:*"))
    assert await any_redis.ttl(f"test:{{{opened.id}}}:session") == least > WEEK - SOON
    assert most <= WEEK * 33 / 32
    again = document(opened.id)
    assert await store.runs.create(again, "reject", ("key", "digest")) == first.id


async def test_run_that_has_ended_outlasts_what_its_session_does_until_runs_are_kept_again(
    any_store, any_redis
):
    """What starts soon after it renews the session, and does not go through the runs."""
    store, opened = any_store, await open_session(any_store)
    ended = await run_to_the_end(store, opened.id, "key")
    cancelled = document(opened.id)
    await store.runs.create(cancelled, "reject")
    await store.runs.cancel(opened.id, cancelled.id)
    base = f"test:{{{opened.id}}}"
    own = [f"{base}:run:{ended.id}", f"{base}:run:{ended.id}:steps", f"{base}:run:{cancelled.id}"]
    idempotency = await any_redis.keys(f"{base}:idem:*")
    assert (await left(any_redis, [*own, *idempotency]))[0] > WEEK * 65 / 64


async def test_session_is_kept_whole_while_a_run_is_executed(any_store, any_redis):
    """A run of an hour in a session of a minute: the renewals keep the others."""
    store, opened = any_store, await open_session(any_store)
    await run_to_the_end(store, opened.id)
    run = document(opened.id)
    await store.runs.create(run, "reject")
    lease = await store.leases.acquire(opened.id, run.id, "w")
    keys = await age(any_redis, f"test:{{{opened.id}}}:*")
    await store.leases.renew(lease)
    least, _ = await left(any_redis, keys)
    assert least > WEEK - SOON


async def test_session_with_many_runs_is_kept_whole_while_one_waits(any_store, any_redis):
    """No script looks at more than a hundred of them; whoever keeps it comes again until it has all."""
    store, opened = any_store, await open_session(any_store)
    run = document(opened.id)
    await store.runs.create(run, "reject")
    await make_runs(any_redis, opened.id, 250)
    keys = await age(any_redis, f"test:{{{opened.id}}}:*")
    await store.backend.script("touch", opened.id, run.id, "")
    assert (await left(any_redis, keys))[0] <= SOON  # one script is not enough
    await age(any_redis, f"test:{{{opened.id}}}:*")
    await keep_session(store.backend, opened.id, run.id)
    assert (await left(any_redis, keys))[0] > WEEK - SOON


async def test_session_with_many_runs_is_kept_whole_by_renewals(any_store, any_redis):
    """Each goes on where the last one stopped, so that none takes long."""
    store, opened = any_store, await open_session(any_store)
    run = document(opened.id)
    await store.runs.create(run, "reject")
    lease = await store.leases.acquire(opened.id, run.id, "w")
    await make_runs(any_redis, opened.id, 250)
    keys = await age(any_redis, f"test:{{{opened.id}}}:*")
    for is_whole in (False, False, True):
        await store.leases.renew(lease)
        assert ((await left(any_redis, keys))[0] > WEEK - SOON) is is_whole


async def test_session_with_many_runs_is_not_gone_through_for_each_new_one(any_store, any_redis):
    """Thousands of writes for a run that makes three would wear out the store's log."""
    store, opened = any_store, await open_session(any_store)
    await run_to_the_end(store, opened.id)
    await make_runs(any_redis, opened.id, 10)
    keys = await any_redis.keys(f"test:{{{opened.id}}}:idem:*")
    await run_to_the_end(store, opened.id)
    assert (await left(any_redis, keys))[1] <= SOON


async def test_session_forgets_runs_that_have_expired(any_store, any_redis):
    """The list of its runs would grow for as long as it lives."""
    store, opened = any_store, await open_session(any_store)
    gone = await run_to_the_end(store, opened.id)
    await any_redis.delete(f"test:{{{opened.id}}}:run:{gone.id}")
    await age(any_redis, f"test:{{{opened.id}}}:*")
    there = await run_to_the_end(store, opened.id)
    assert await any_redis.zrange(f"test:{{{opened.id}}}:runs", 0, -1) == [there.id]


async def test_session_is_not_busy_with_a_run_that_is_gone(any_store, any_redis):
    """A waiting run that expired left its session busy for ever: nobody could end it any more."""
    store, opened = any_store, await open_session(any_store)
    gone, missing, waiting = (document(opened.id) for _ in range(3))
    for run in (gone, missing, waiting):
        await store.runs.create(run, "enqueue")
    for run in (gone, missing):
        await any_redis.delete(f"test:{{{opened.id}}}:run:{run.id}")
    assert await code_of(store.runs.create(document(opened.id), "reject")) == "session_busy"
    assert (await store.sessions.get(opened.id, "ann")).active_run == waiting.id
    await any_redis.delete(f"test:{{{opened.id}}}:run:{waiting.id}")
    following = document(opened.id)
    assert await store.runs.create(following, "reject") == following.id
    assert await store.leases.acquire(opened.id, following.id, "w")


async def test_worker_lets_the_next_run_pass_one_that_is_gone(any_store, any_redis):
    """Without a new request nobody else would look at the line."""
    store, opened = any_store, await open_session(any_store)
    gone, waiting = document(opened.id), document(opened.id)
    for run in (gone, waiting):
        await store.runs.create(run, "enqueue")
    await any_redis.delete(f"test:{{{opened.id}}}:run:{gone.id}")
    assert await store.leases.acquire(opened.id, gone.id, "w") is None
    assert await store.leases.acquire(opened.id, waiting.id, "w")


async def test_session_can_be_deleted_when_its_active_run_is_gone(any_store, any_redis):
    """It is not busy, whatever its hash says."""
    store, opened = any_store, await open_session(any_store)
    gone = document(opened.id)
    await store.runs.create(gone, "reject")
    await any_redis.delete(f"test:{{{opened.id}}}:run:{gone.id}")
    await store.sessions.delete(opened.id, "ann")
    assert await code_of(store.sessions.get(opened.id, "ann")) == "session_not_found"


async def test_idempotency_key_of_a_run_that_is_gone_starts_another(any_store, any_redis):
    """It would be answered with the id of a run that nobody can read."""
    store, opened = any_store, await open_session(any_store)
    gone = await run_to_the_end(store, opened.id, "key")
    await any_redis.delete(f"test:{{{opened.id}}}:run:{gone.id}")
    run = document(opened.id)
    assert await store.runs.create(run, "reject", ("key", "digest")) == run.id


async def test_session_with_thousands_of_runs_is_deleted(any_store, any_redis):
    """4,100 were "too many results to unpack" for a script that was given all keys at once."""
    opened = await open_session(any_store)
    await make_runs(any_redis, opened.id, 4100)
    await any_store.sessions.delete(opened.id, "ann")
    assert await any_redis.keys(f"test:{{{opened.id}}}:*") == []


async def test_session_is_gone_for_clients_before_its_runs_are(any_store, any_redis, monkeypatch):
    """A process that dies in between leaves what nobody sees, and what expires by itself."""
    store, opened = any_store, await open_session(any_store)
    await run_to_the_end(store, opened.id)
    script = store.backend.script

    async def dying(name, *arguments, **keywords):
        if name == "delete_runs":
            raise KeyboardInterrupt
        return await script(name, *arguments, **keywords)

    monkeypatch.setattr(store.backend, "script", dying)
    with pytest.raises(KeyboardInterrupt):
        await store.sessions.delete(opened.id, "ann")
    assert await code_of(store.sessions.get(opened.id, "ann")) == "session_not_found"
    assert await code_of(store.runs.create(document(opened.id), "reject")) == "session_not_found"
    assert (await store.sessions.list("ann", 10, None)).items == []
    remaining = await any_redis.keys(f"test:{{{opened.id}}}:*")
    assert remaining
    assert (await left(any_redis, remaining))[0] > 0


async def test_idempotency_key_of_a_deleted_session_opens_a_new_one(any_store):
    """The same id would come back, with whatever a deletion under way had not yet removed."""
    store, key = any_store.sessions, ("key", "digest")
    first = await store.create("ann", None, {}, None, key)
    await store.delete(first.id, "ann")
    second = await store.create("ann", None, {}, None, key)
    assert second.id != first.id
    assert await store.create("ann", None, {}, None, key) == second
    assert [item.id for item in (await store.list("ann", 10, None)).items] == [second.id]


async def test_session_whose_id_was_reserved_long_ago_is_listed(any_store, monkeypatch):
    """A listing drops an old id without a session, just before its session comes."""
    store, script = any_store, any_store.backend.script
    reserved = f"ses_{'0' * 32}"
    monkeypatch.setattr(sessions, "new_id", lambda _: reserved)

    async def listed_before(name, *arguments, **keywords):
        if name == "create_session":
            assert (await store.sessions.list("ann", 10, None)).items == []
        return await script(name, *arguments, **keywords)

    monkeypatch.setattr(store.backend, "script", listed_before)
    await store.sessions.create("ann", None, {}, None, ("key", "digest"))
    assert [item.id for item in (await store.sessions.list("ann", 10, None)).items] == [reserved]


async def test_session_that_lives_stays_in_its_users_list(any_store, any_redis):
    """The index went eight days after the user's last new session, whatever was still in use."""
    store, opened = any_store, await open_session(any_store)
    index = "test:user:{ann}:sessions"
    await any_redis.delete(index)
    await any_redis.hset(f"test:{{{opened.id}}}:session", "listed", 0)  # half a day goes by
    run = await run_to_the_end(store, opened.id)
    assert await any_redis.ttl(index) > WEEK
    await any_redis.delete(index)
    await keep_session(store.backend, opened.id, run.id)  # what the reaper does for waiting runs
    assert [item.id for item in (await store.sessions.list("ann", 10, None)).items] == [opened.id]


async def test_session_is_not_kept_anew_for_each_run(any_store, any_redis, monkeypatch):
    """What its runs write keeps it for as long; its list, and its earlier runs, are kept a while longer."""
    store, names = any_store, []
    opened = await open_session(store)
    script = store.backend.script

    async def noted(name, *arguments, **more):
        names.append(name)
        return await script(name, *arguments, **more)

    monkeypatch.setattr(store.backend, "script", noted)
    await run_to_the_end(store, opened.id)
    assert "touch" not in names
    await any_redis.hset(f"test:{{{opened.id}}}:session", "listed", 0)
    await run_to_the_end(store, opened.id)
    await run_to_the_end(store, opened.id)
    assert names.count("touch") == 1


async def test_page_of_sessions_is_full_while_there_are_more(any_store, any_redis):
    """Expired ones made pages short and empty, and the last one pointed to another."""
    store = any_store
    opened = [await open_session(store) for _ in range(4)]
    expired = {f"ses_{n:032x}": 0 for n in range(300)}
    newer = {f"ses_02{n:030x}": 0 for n in range(300)}
    await any_redis.zadd("test:user:{ann}:sessions", expired | newer)
    first = await store.sessions.list("ann", 3, None)
    second = await store.sessions.list("ann", 3, first.next_cursor)
    newest_first = sorted((s.id for s in opened), reverse=True)  # of one millisecond, at random
    assert [item.id for item in [*first.items, *second.items]] == newest_first
    assert (len(first.items), second.next_cursor) == (3, None)
    assert (await store.sessions.list("ann", 4, None)).next_cursor is None


async def test_listing_of_sessions_ends_and_says_where_to_go_on(any_store, any_redis, monkeypatch):
    """However many have expired: no request looks at all of a million."""
    monkeypatch.setattr(sessions, "LOOK", 10)
    monkeypatch.setattr(sessions, "MAX_LOOKS", 2)
    opened = await open_session(any_store)
    newer = {f"ses_02{n:030x}": 0 for n in range(30)}
    await any_redis.zadd("test:user:{ann}:sessions", newer)
    first = await any_store.sessions.list("ann", 5, None)
    assert (first.items, first.next_cursor) == ([], f"ses_02{10:030x}")
    second = await any_store.sessions.list("ann", 5, first.next_cursor)
    assert [item.id for item in second.items] == [opened.id]


async def test_list_of_sessions_that_nobody_reads_stays_short(any_store, any_redis):
    """Each new session looks at some of the others."""
    index = "test:user:{ann}:sessions"
    await any_redis.zadd(index, {f"ses_{n:032x}": 0 for n in range(100)})
    coming = new_id("ses")
    await any_redis.zadd(index, {coming: 0})
    for _ in range(30):
        await open_session(any_store)
    ids = await any_redis.zrange(index, 0, -1)
    assert coming in ids
    assert len(ids) <= 31 + 40
