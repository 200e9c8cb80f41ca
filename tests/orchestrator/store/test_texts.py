"""What planners say, as a process hears it: one connection, the sessions that are wanted, no others."""

import asyncio
import json
from contextlib import aclosing

import pytest

from common.ids import new_id
from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.store import make_store, open_store
from orchestrator.store.texts import Wanted
from tests.orchestrator.fakes import until

RUN = new_id("run")


async def publish(store, session_id, text="hi", **changed):
    """Publish a piece as a run's owner does; return how many heard it."""
    data = {"t": 1, "attempt": 1, "offset": 0, "text": text}
    message = {"run_id": RUN, "time": 1_700_000_000_123, "data": data, **changed}
    channel = store.backend.keys.text_channel(session_id)
    return await store.backend.redis.publish(channel, json.dumps(message))


async def say(store, session_id, text="hi"):
    """Publish until somebody hears it."""

    async def is_heard():
        return await publish(store, session_id, text) > 0

    await until(is_heard)


def listening(store, wanted, into):
    """Hear what is wanted, in a task."""

    async def hear():
        async with aclosing(store.texts.spoken(wanted)) as events:
            async for event in events:
                into.append(event)

    return asyncio.create_task(hear())


async def test_text_is_heard_as_a_transient_event(any_store):
    """It has no number: it is nothing to resume from."""
    wanted, heard, session_id = Wanted(), [], new_id("ses")
    wanted.add(session_id)
    task = listening(any_store, wanted, heard)
    await say(any_store, session_id)
    await until(lambda: heard)
    wanted.discard(session_id)
    await task
    [event] = heard
    assert (event.seq, event.type, event.run_id) == (None, "text.delta", RUN)
    assert event.session_id == session_id
    assert event.time.timestamp() == 1_700_000_000.123
    assert event.data == {"t": 1, "attempt": 1, "offset": 0, "text": "hi"}


async def test_text_of_sessions_is_heard_only_while_they_are_wanted(any_store, any_redis):
    """Whoever comes is heard without a new connection, whoever goes costs nothing any more."""
    wanted, heard = Wanted(), []
    first, second, third = (new_id("ses") for _ in range(3))
    wanted.add(first)
    task = listening(any_store, wanted, heard)
    await say(any_store, first, "a")
    await until(lambda: heard)  # what is still under way when it is left is not heard
    wanted.add(second)
    wanted.discard(first)
    await say(any_store, second, "b")

    async def is_left():
        return await publish(any_store, first, "c") == 0

    await until(is_left)
    wanted.add(third)
    wanted.discard(third)  # within one wait
    await until(lambda: {"a", "b"} <= {event.data["text"] for event in heard})
    channel = any_store.backend.keys.text_channel
    counts = dict(await any_redis.pubsub_numsub(channel(first), channel(second), channel(third)))
    assert list(counts.values()) == [0, 1, 0]
    wanted.discard(second)
    await task
    assert await publish(any_store, second) == 0


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        "{}",
        '{"run_id": "x", "time": 1, "data": {}}',
        f'{{"run_id": "{RUN}", "time": {10**400}, "data": {{}}}}',
        f'{{"run_id": "{RUN}", "time": -1, "data": {{}}}}',
        b"\xff\xfe",
    ],
    ids=["no JSON", "nothing", "no run", "beyond all times", "before 1970", "no UTF-8"],
)
async def test_text_that_cannot_be_read_is_passed_over(any_store, message):
    """What a newer program publishes in another form must not end what an older one hears."""
    wanted, heard, session_id = Wanted(), [], new_id("ses")
    wanted.add(session_id)
    task = listening(any_store, wanted, heard)
    channel = any_store.backend.keys.text_channel(session_id)

    async def is_published():
        return await any_store.backend.redis.publish(channel, message)

    await until(is_published)
    await say(any_store, session_id, "after it")
    await until(lambda: heard)
    wanted.discard(session_id)
    await task
    assert [event.data["text"] for event in heard] == ["after it"]


async def test_text_is_heard_again_after_the_connection_was_cut(url, real_redis):
    """What was said meanwhile is lost; every session is subscribed to again."""
    wanted, heard = Wanted(), []
    sessions = [new_id("ses") for _ in range(3)]
    for session_id in sessions:
        wanted.add(session_id)
    async with open_store(url, "test", StoreConfig()) as store:
        task = listening(store, wanted, heard)
        publishing = make_store(real_redis, "test", StoreConfig())
        for number in range(3):
            for session_id in sessions:
                await say(publishing, session_id, f"{number}")
            await until(lambda n=number: len(heard) == 3 * (n + 1))
            assert len(await real_redis.client_list(_type="pubsub")) == 1
            assert await real_redis.client_kill_filter(_type="pubsub") == 1
        for session_id in sessions:
            wanted.discard(session_id)
        await task
        assert await real_redis.client_list(_type="pubsub") == []


async def test_text_of_a_store_that_is_away_is_a_fault_of_the_store(away):
    """Whoever listens pauses, and listens again."""
    wanted = Wanted()
    wanted.add(new_id("ses"))
    with pytest.raises(StoreUnavailable):
        await listening(away, wanted, [])
