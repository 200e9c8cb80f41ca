"""Fences: an old owner writes nothing any more."""

import pytest

from common.plans import Plan
from orchestrator.store.fencing import Fenced
from tests.orchestrator.builders import DONE, event_types, expire_lease, step


async def test_fence_of_an_old_owner_refuses_its_every_write(store, leased, redis):
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
