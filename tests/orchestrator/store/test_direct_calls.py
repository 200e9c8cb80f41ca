"""Calls without a run, in the session's log."""

from datetime import timedelta

from common.errors import ToolError
from orchestrator.store.events import DirectCall
from tests.orchestrator.builders import receipt


async def opened(store):
    """Open a session."""
    return await store.sessions.create("ann", "demo", {}, None)


def call(call_id="mcp:1:1", **more):
    """Return a call that has happened."""
    return DirectCall(id=call_id, tool="write_file", duration_ms=2.0, **more)


async def events(store, session):
    """Return the session's events but for its first."""
    return (await store.events.after(session.id, 1, 100)).events


async def test_call_is_told_with_its_receipts_and_without_a_run(any_store):
    """Whoever follows the session sees what has changed."""
    session = await opened(any_store)
    assert await any_store.direct_calls.note(session.id, call(receipts=[receipt("f", "0" * 64)]))
    problem = ToolError("path_not_found", "no").problem("orchestrator", "req_1")
    assert await any_store.direct_calls.note(session.id, call("mcp:2:1", error=problem))
    done, failed = await events(any_store, session)
    assert (done.type, done.run_id, done.data["receipts"][0]["path"]) == (
        "call.succeeded",
        None,
        "f",
    )
    assert (failed.type, failed.data["error"]["code"]) == ("call.failed", "path_not_found")


async def test_call_that_is_noted_again_is_told_once(any_store):
    """The script is sent again where its answer was lost."""
    session = await opened(any_store)
    for _ in range(2):
        assert await any_store.direct_calls.note(session.id, call())
    assert len(await events(any_store, session)) == 1


async def test_note_keeps_the_session_and_leaves_nothing_that_stays(any_store, any_redis):
    """A session that is used does not expire; what keeps a note from coming twice does, soon."""
    session = await opened(any_store)
    key = any_store.backend.keys.session(session.id)
    await any_redis.expire(key, 5)
    await any_store.direct_calls.note(session.id, call())
    assert await any_redis.ttl(key) > timedelta(hours=1).total_seconds()
    noted = any_store.backend.keys.noted(session.id, "mcp:1:1")
    assert 0 < await any_redis.ttl(noted) <= 60


async def test_session_that_is_gone_is_told(any_store):
    """Nothing of it comes again."""
    session = await opened(any_store)
    await any_store.sessions.delete(session.id, "ann")
    assert not await any_store.direct_calls.note(session.id, call())
    assert (await any_store.events.after(session.id, 0, 10)).entries == []
