"""Notifications: what Redis publishes reaches those whom it concerns."""

import asyncio

from orchestrator.streaming.notifications import relay
from tests.orchestrator.builders import document
from tests.orchestrator.fakes import until


async def test_notifications_are_passed_on_to_followers_and_worker(store, session):
    """Events to the followers, cancels to the worker, the end of a run to those who wait for it."""
    opened = await session()
    events, cancels, settled = [], [], []
    passing_on = relay(store.events, events.append, cancels.append, settled.append)
    listening = asyncio.create_task(passing_on)
    run = document(opened.id)

    async def heard():
        await store.backend.redis.publish(store.backend.keys.channel, f"cancel {run.id}")
        return bool(cancels)

    await until(heard)
    await store.runs.create(run, "reject")
    await until(lambda: opened.id in events)
    assert settled == []
    await store.runs.cancel(opened.id, run.id)
    await until(lambda: settled)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert (cancels[0], settled) == (run.id, [run.id])
    assert run.id not in events
