"""The session that each user's MCP clients have in a workspace."""

import asyncio

from orchestrator.mcp import sessions as module
from orchestrator.mcp.sessions import RENEWED_AFTER, Sessions
from orchestrator.store.events import DirectCall


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self):
        """Tell the time."""
        return self.now


async def test_user_has_one_session_in_a_workspace_on_every_replica(store):
    """Another user has another, and so has another workspace."""
    one, two = Sessions(store), Sessions(store)
    first, second = await asyncio.gather(one.of("ann", "demo"), two.of("ann", "demo"))
    assert first.id == second.id
    assert (first.workspace, first.metadata) == ("demo", {"source": "mcp"})
    others = [await one.of("bob", "demo"), await one.of("ann", "docs")]
    assert len({first.id, *(other.id for other in others)}) == 3


async def test_session_is_renewed_while_it_is_used(store, redis):
    """Its place in the user's list, and the key that leads to it, do not expire before it."""
    clock = Clock()
    sessions = Sessions(store, clock)
    session = await sessions.of("ann", "demo")
    keys = store.backend.keys
    names = [keys.session(session.id), keys.user_sessions("ann")]
    names += list(await redis.keys("*idem*"))
    for name in names:
        await redis.expire(name, 5)
    await sessions.of("ann", "demo")
    assert [await redis.ttl(name) for name in names] == [5] * len(names)
    clock.now = RENEWED_AFTER + 1
    assert (await sessions.of("ann", "demo")).id == session.id
    assert min([await redis.ttl(name) for name in names]) > 3600


async def test_only_so_many_are_remembered(store, monkeypatch):
    """The one that was used the longest ago is asked for again."""
    monkeypatch.setattr(module, "KEPT", 2)
    sessions = Sessions(store, Clock())
    for workspace in ("a", "b", "c"):
        await sessions.of("ann", workspace)
    assert list(sessions._known) == [("ann", "b"), ("ann", "c")]


async def test_call_is_noted_in_the_session_that_comes_after_a_deleted_one(store):
    """It was deleted while the call was made."""
    sessions = Sessions(store)
    session = await sessions.of("ann", "demo")
    await store.sessions.delete(session.id, "ann")
    await sessions.note(session, DirectCall(id="mcp:1:1", tool="t"))
    anew = await sessions.of("ann", "demo")
    assert anew.id != session.id
    assert [e.type for e in (await store.events.after(anew.id, 1, 9)).events] == ["call.succeeded"]
