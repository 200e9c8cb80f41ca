"""Following while a real store loses its connections."""

import asyncio
from contextlib import aclosing, suppress

from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.store import open_store
from orchestrator.streaming import feeds, notifications
from orchestrator.streaming.connections import ConnectionManager
from orchestrator.streaming.notifications import relay
from tests.orchestrator.builders import document
from tests.orchestrator.fakes import until


async def follow(manager, session_id, seqs):
    """Note the numbers of the events that come."""
    async with aclosing(manager.follow(session_id)) as batches:
        async for batch in batches:
            seqs.extend(frame.event.seq for frame in batch)


async def created(store, session_id):
    """Store a run, which is one event; the first attempts may find a connection that was cut."""
    run = document(session_id)

    async def is_stored():
        with suppress(StoreUnavailable):
            await store.runs.create(run, "enqueue")
            return True

    await until(is_stored)


async def test_streams_outlive_the_connections_to_the_store(url, real_redis, monkeypatch):
    """All of them are cut, the one that listens too: nothing is missed and nothing comes twice."""
    for module in (feeds, notifications):
        monkeypatch.setattr(module, "PAUSE", 0.05)
    async with open_store(url, "test", StoreConfig()) as store:
        manager = ConnectionManager(store)
        listening = asyncio.create_task(
            relay(store.events, manager.wake, lambda _: None, lambda _: None)
        )
        session = await store.sessions.create("ann", None, {}, None)
        followed = [[] for _ in range(5)]
        following = [asyncio.create_task(follow(manager, session.id, seqs)) for seqs in followed]
        for count in range(2, 7):
            await real_redis.client_kill_filter(_type="pubsub")
            await real_redis.client_kill_filter(_type="normal", skipme=True)
            await created(store, session.id)
            await until(lambda count=count: all(len(seqs) == count for seqs in followed))
        manager.close()
        await asyncio.gather(*following)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert followed == [list(range(1, 7))] * 5


async def test_what_followers_read_with_are_connections_of_their_own(url, real_redis):
    """A crowd of them must not keep leases and writes waiting for a place."""
    async with open_store(url, "test", StoreConfig()) as store:
        session = await store.sessions.create("ann", None, {}, None)
        held = [
            await store.events._backend.redis.connection_pool.get_connection() for _ in range(16)
        ]
        await store.runs.create(document(session.id), "enqueue")
        for connection in held:
            await store.events._backend.redis.connection_pool.release(connection)
        assert (await store.events.after(session.id, 0, 10)).last_seq == 2
