"""Following events: nothing missed, nothing twice, gaps told, ends noticed."""

import asyncio

import pytest

from orchestrator.store.records import Ending
from orchestrator.streaming import connections
from orchestrator.streaming.connections import ConnectionManager
from tests.orchestrator.builders import call_of, step, turn
from tests.orchestrator.fakes import until


@pytest.fixture
def manager(store):
    """A manager over the store."""
    return ConnectionManager(store)


def collect(batches, into):
    """Read batches into a list, in a task."""

    async def read():
        async for batch in batches:
            into.extend(batch)

    return asyncio.create_task(read())


async def test_follower_of_a_run_gets_its_events_and_the_end(manager, store, leased):
    """Also those that were there before."""
    lease = await leased()
    seen = []
    reading = collect(manager.follow(lease.session.id, 0, lease.run.id), seen)
    await until(lambda: len(seen) == 2)
    await store.progress.start_step(lease, step(), call_of(step()))
    manager.wake(lease.session.id)
    await until(lambda: len(seen) == 3)
    await store.progress.finish(lease, Ending("cancelled", reason="x"))
    manager.wake(lease.session.id)
    await reading
    assert [event.type for event in seen] == [
        "run.queued",
        "run.started",
        "step.started",
        "run.cancelled",
    ]
    assert not manager._followers


async def test_follower_looks_by_itself_when_its_notification_is_lost(
    manager, store, leased, monkeypatch
):
    """Followers also look by themselves."""
    monkeypatch.setattr(connections, "POLL", 0.02)
    lease = await leased()
    seen = []
    reading = collect(manager.follow(lease.session.id, 3), seen)
    await store.progress.start_step(lease, step(), call_of(step()))
    await until(lambda: len(seen) == 1)
    manager.close()
    await reading
    assert seen[0].seq == 4


@pytest.mark.parametrize(("cursor", "from_seq", "to_seq"), [(0, 1, 3), (50, 5, 50)])
async def test_follower_is_told_of_a_gap_where_events_were_trimmed_or_lost(
    manager, store, leased, redis, cursor, from_seq, to_seq
):
    """Trimmed, or lost with a server that failed: a snapshot to go on from."""
    lease = await leased()
    await store.progress.record_turn(lease, turn(step()))
    await redis.xtrim(f"test:{{{lease.session.id}}}:events", maxlen=1, approximate=False)
    batches = manager.follow(lease.session.id, cursor, lease.run.id)
    gap, *rest = await anext(batches)
    await batches.aclose()
    assert (gap.type, gap.data["from_seq"], gap.data["to_seq"]) == ("gap", from_seq, to_seq)
    assert gap.data["run"]["status"] == "running"
    assert [event.seq for event in rest] == ([4] if cursor == 0 else [])


async def test_follower_of_a_run_ends_with_a_gap_over_its_end(manager, store, leased, redis):
    """The snapshot says that the run is over."""
    lease = await leased()
    await store.progress.finish(lease, Ending("cancelled", reason="x"))
    await redis.delete(f"test:{{{lease.session.id}}}:events")
    seen = []
    await collect(manager.follow(lease.session.id, 0, lease.run.id), seen)
    assert [event.type for event in seen] == ["gap"]


async def test_follower_ends_when_its_session_is_deleted(manager, store, session):
    """There is nothing more to come."""
    opened = await session()
    seen = []
    reading = collect(manager.follow(opened.id, 0), seen)
    await until(lambda: seen)
    await store.sessions.delete(opened.id, "ann")
    manager.wake(opened.id)
    await reading
