"""Fences: an old owner writes nothing any more."""

import pytest

from common.plans import Usage
from orchestrator.store.fencing import Fenced
from orchestrator.store.records import Spent
from tests.orchestrator.builders import (
    DONE,
    call_of,
    event_types,
    expire_lease,
    step,
    taken_over,
    turn,
)


async def test_fence_of_an_old_owner_refuses_its_every_write(store, leased, redis):
    """It may only have been paused: every write shows its fence."""
    old = await leased()
    begun = step()
    await store.progress.record_turn(old, turn(begun))
    await store.progress.record(old, [(begun, call_of(begun))])
    await expire_lease(redis, old)
    new = await store.leases.acquire(old.session.id, old.run.id, "worker-2")
    assert new.fence > old.fence
    assert [made.status for made in new.steps] == ["running"]
    for write in (
        store.leases.renew(old),
        store.progress.record_turn(old, turn(step(2), t=2)),
        store.progress.record(old, [(step(2), call_of(step(2)))]),
        store.progress.record(old, [(step(status="succeeded"), call_of(begun))]),
        store.leases.park(old, "{}"),
        store.progress.finish(old, DONE),
        store.conversation.reserve(old, 10, 0.1),
        store.conversation.settle(old, Usage(output_tokens=1)),
        store.conversation.append_text(old, 2, 0, "late"),
        store.conversation.append_text(old, 2, 4, "late"),
        store.leases.release(old),
    ):
        with pytest.raises(Fenced):
            await write
    await store.progress.record(new, [(step(status="succeeded"), call_of(begun))])
    assert (await store.runs.get(old.session.id, old.run.id)).text is None
    assert (await taken_over(store, redis, new)).used == Spent()
    assert "run.resumed" in await event_types(store, old.session.id)
