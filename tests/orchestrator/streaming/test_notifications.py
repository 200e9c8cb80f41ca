"""Notifications: what Redis publishes reaches those whom it concerns."""

import asyncio

from orchestrator.streaming.notifications import relay
from tests.orchestrator.builders import document
from tests.orchestrator.fakes import until


async def test_notifications_are_passed_on_to_followers_and_worker(store, session):
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
