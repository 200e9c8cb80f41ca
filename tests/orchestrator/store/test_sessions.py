"""Sessions in the store: their user's, paged, expiring, deleted."""

from datetime import timedelta

import pytest

from common.ids import new_id
from orchestrator.store.backend import StoreConfig
from tests.orchestrator.builders import code_of, document


async def test_session_belongs_to_its_user(store, session):
    """Another user's session does not exist."""
    opened = await session(workspace="w", metadata={"a": "b"}, ttl=timedelta(seconds=60))
    assert (opened.user_id, opened.workspace, opened.ttl) == ("ann", "w", 60.0)
    assert await store.sessions.get(opened.id, "ann") == opened
    assert await code_of(store.sessions.get(opened.id, "bob")) == "session_not_found"
    assert await code_of(store.sessions.delete(opened.id, "bob")) == "session_not_found"


async def test_session_keeps_its_own_expiry(store, session, redis):
    """Shorter than the service's, never longer; what belongs to it goes with it, or just after."""
    short = await session(ttl=timedelta(seconds=60))
    await store.runs.create(document(short.id), "reject")
    await store.reaper.reap()
    for key in await redis.keys(f"test:{{{short.id}}}:*"):
        assert 0 < await redis.ttl(key) <= (60 if key.endswith(":session") else 62)
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


async def test_session_index_forgets_only_what_cannot_come_any_more(store, redis):
    """The index comes first: a listing in mid-creation must not hide the session for ever."""
    index, expired, coming = "test:user:{ann}:sessions", f"ses_{'0' * 32}", new_id("ses")
    await redis.zadd(index, {expired: 0, coming: 0})
    await redis.expire(index, 60)
    assert (await store.sessions.list("ann", 3, None)).items == []
    assert await redis.zrange(index, 0, -1) == [coming]


@pytest.mark.parametrize("idempotency", [None, ("key", "digest")])
async def test_session_is_not_read_again_when_it_is_opened(any_store, monkeypatch, idempotency):
    """The script that stores it says what is there: another round trip for each session, for nothing."""
    read, reads = any_store.sessions.get, []
    monkeypatch.setattr(any_store.sessions, "get", lambda *ids: reads.append(ids) or read(*ids))
    asked = "ann", "w", {"a": "b"}, timedelta(seconds=90), idempotency
    opened = [await any_store.sessions.create(*asked) for _ in range(2)]
    assert reads == []
    assert [await read(one.id, "ann") for one in opened] == opened
    assert (opened[0] == opened[1]) is (idempotency is not None)


async def test_session_is_opened_once_for_one_key(session):
    """A client that lost the answer asks again."""
    first = await session(idempotency=("key", "digest"))
    assert await session(idempotency=("key", "digest")) == first
    assert await code_of(session(idempotency=("key", "other"))) == "idempotency_conflict"
    assert (await session("bob", idempotency=("key", "digest"))).id != first.id


async def test_session_is_found_by_its_key_for_as_long_as_that_is_used(any_store, any_redis):
    """A thread that is spoken in every day must not lose its session after the first week."""

    async def opened():
        return await any_store.sessions.create("ann", None, {}, None, ("key", "digest"))

    first = await opened()
    [key] = await any_redis.keys("test:user:{ann}:idem:*")
    await any_redis.expire(key, 10)
    assert await opened() == first
    assert await any_redis.ttl(key) > 10


async def test_session_is_deleted_with_everything_but_not_while_a_run_is_active(
    store, session, redis
):
    """A worker may still write."""
    opened = await session()
    run = document(opened.id)
    await store.runs.create(run, "reject")
    assert await code_of(store.sessions.delete(opened.id, "ann")) == "session_busy"
    await store.runs.cancel(opened.id, run.id)
    await store.sessions.delete(opened.id, "ann")
    assert await redis.keys(f"test:{{{opened.id}}}:*") == []
    assert await code_of(store.runs.create(document(opened.id), "reject")) == "session_not_found"
