"""Which sessions name which workspace: all of a user's are looked at, and nobody else's."""

import pytest

from common.errors import AgenticError
from orchestrator.store import workspaces
from tests.orchestrator.builders import code_of


async def test_sessions_are_told_of_the_workspaces_that_are_asked_for(store, session):
    """The newest first; another user's workspace of the same name is another one."""
    first, second = [await session(workspace="w") for _ in range(2)]
    await session(workspace="other")
    await session("bob", workspace="w")
    found = await store.workspaces.sessions_of("ann", {"w", "unused"})
    assert found == {"w": [second.id, first.id]}


async def test_of_many_sessions_a_hundred_are_named(store, session, monkeypatch):
    """Also of those that lie on several pages of the user's list."""
    monkeypatch.setattr(workspaces, "LOOK", 3)
    monkeypatch.setattr(workspaces, "MOST_NAMED", 5)
    opened = [await session(workspace="w") for _ in range(8)]
    newest = [item.id for item in reversed(opened)][:5]
    assert await store.workspaces.sessions_of("ann", {"w"}) == {"w": newest}
    with pytest.raises(AgenticError) as caught:
        await store.workspaces.require_unused("ann", "w")
    assert caught.value.context.sessions == newest


async def test_a_workspace_is_in_use_while_another_session_names_it(store, session, redis):
    """One that has expired or was deleted does not count, nor does the one that is to go."""
    own, other, expired = [await session(workspace="w") for _ in range(3)]
    await redis.delete(f"test:{{{expired.id}}}:session")
    assert await code_of(store.workspaces.require_unused("ann", "w", own.id)) == "workspace_in_use"
    await store.sessions.delete(other.id, "ann")
    await store.workspaces.require_unused("ann", "w", own.id)
    assert await code_of(store.workspaces.require_unused("ann", "w")) == "workspace_in_use"
    await store.workspaces.require_unused("ann", "unused")


async def test_more_sessions_than_can_be_looked_at_are_not_taken_for_none(
    store, session, monkeypatch
):
    """A workspace is not deleted because nobody looked to the end."""
    monkeypatch.setattr(workspaces, "LOOK", 2)
    monkeypatch.setattr(workspaces, "MAX_LOOKS", 2)
    for _ in range(4):
        await session()
    assert await code_of(store.workspaces.require_unused("ann", "w")) == "invalid_state"
