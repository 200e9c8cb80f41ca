"""Following events: nothing missed, nothing twice, gaps told, ends noticed."""

import asyncio
from datetime import UTC, datetime

import pytest

from common.runs import Event
from orchestrator.store.records import Ending
from orchestrator.streaming import connections
from orchestrator.streaming.connections import ConnectionManager
from orchestrator.streaming.notifications import relay
from orchestrator.streaming.sse import encode, event_stream
from tests.orchestrator.conftest import document, step
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


async def test_a_follower_of_a_run_gets_its_events_and_the_end(manager, store, leased):
    """Also those that were there before."""
    lease = await leased()
    seen = []
    reading = collect(manager.follow(lease.session.id, 0, lease.run.id), seen)
    await until(lambda: len(seen) == 2)
    await store.progress.start_step(lease, step())
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


async def test_a_lost_hint_only_costs_time(manager, store, leased, monkeypatch):
    """Followers also look by themselves."""
    monkeypatch.setattr(connections, "POLL", 0.02)
    lease = await leased()
    seen = []
    reading = collect(manager.follow(lease.session.id, 3), seen)
    await store.progress.start_step(lease, step())
    await until(lambda: len(seen) == 1)
    manager.close()
    await reading
    assert seen[0].seq == 4


@pytest.mark.parametrize(("cursor", "from_seq", "to_seq"), [(0, 1, 3), (50, 5, 50)])
async def test_what_the_log_no_longer_holds_is_a_gap(
    manager, store, leased, redis, cursor, from_seq, to_seq
):
    """Trimmed, or lost with a server that failed: a snapshot to go on from."""
    lease = await leased()
    await store.progress.start_step(lease, step())
    await redis.xtrim(f"test:{{{lease.session.id}}}:events", maxlen=1, approximate=False)
    batches = manager.follow(lease.session.id, cursor, lease.run.id)
    gap, *rest = await anext(batches)
    await batches.aclose()
    assert (gap.type, gap.data["from_seq"], gap.data["to_seq"]) == ("gap", from_seq, to_seq)
    assert gap.data["run"]["status"] == "running"
    assert [event.seq for event in rest] == ([4] if cursor == 0 else [])


async def test_a_gap_over_the_runs_end_ends_the_stream(manager, store, leased, redis):
    """The snapshot says that the run is over."""
    lease = await leased()
    await store.progress.finish(lease, Ending("cancelled", reason="x"))
    await redis.delete(f"test:{{{lease.session.id}}}:events")
    seen = []
    await collect(manager.follow(lease.session.id, 0, lease.run.id), seen)
    assert [event.type for event in seen] == ["gap"]


async def test_a_deleted_session_ends_its_streams(manager, store, session):
    """There is nothing more to come."""
    opened = await session()
    seen = []
    reading = collect(manager.follow(opened.id, 0), seen)
    await until(lambda: seen)
    await store.sessions.delete(opened.id, "ann")
    manager.wake(opened.id)
    await reading


async def test_hints_are_passed_on(manager, store, session):
    """Events to the followers, cancels to the worker."""
    opened = await session()
    events, cancels = [], []
    listening = asyncio.create_task(relay(store.events, events.append, cancels.append))
    run = document(opened.id)

    async def heard():
        await store.backend.redis.publish(store.backend.keys.channel, f"cancel {run.id}")
        return bool(cancels)

    await until(heard)
    await store.runs.create(run, "reject")
    await until(lambda: opened.id in events)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert cancels[0] == run.id


def test_transient_events_have_no_id():
    """They are never the place to resume from."""
    event = Event(
        seq=7, type="run.queued", time=datetime.now(UTC), session_id="ses_" + "0" * 32, data={}
    )
    assert encode(event).startswith("id: 7\nevent: run.queued\ndata: {")
    assert encode(event.model_copy(update={"seq": None})).startswith("event: run.queued\n")


async def test_silence_is_broken_by_a_heartbeat(monkeypatch):
    """Proxies cut silent connections."""
    monkeypatch.setattr("orchestrator.streaming.sse.HEARTBEAT", 0.0)

    async def batches():
        yield []

    chunks = [chunk async for chunk in event_stream(batches()).body_iterator]
    assert chunks == [": following\n\n", ": alive\n\n"]
