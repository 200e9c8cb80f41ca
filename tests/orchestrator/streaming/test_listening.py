"""What planners say, among the events: to those who want it, once, never in the way of the log."""

import asyncio
import json
from contextlib import aclosing

import pytest

from common.ids import new_id
from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.store import make_store, open_store
from orchestrator.streaming import listening
from orchestrator.streaming.connections import ConnectionManager
from orchestrator.streaming.frames import Cursor
from orchestrator.streaming.spoken import PIECES
from tests.orchestrator.builders import call_of, step
from tests.orchestrator.fakes import until

RUN = new_id("run")


@pytest.fixture
async def manager(store):
    """A manager over the store; at its end nothing of it is left."""
    manager = ConnectionManager(store)
    yield manager
    await manager.aclose()
    await until(lambda: not manager._feeds)


async def publish(store, session_id, text, run_id=RUN):
    """Publish a piece as a run's owner does; return how many connections heard it."""
    data = {"t": 1, "attempt": 1, "offset": 0, "text": text}
    message = json.dumps({"run_id": run_id, "time": 1_700_000_000_000, "data": data})
    return await store.backend.redis.publish(store.backend.keys.text_channel(session_id), message)


async def say(store, session_id, text, run_id=RUN):
    """Publish a piece until it is heard."""

    async def is_heard():
        return await publish(store, session_id, text, run_id) > 0

    await until(is_heard)


async def subscribers(store, session_id):
    """Return how many connections listen to a session."""
    channel = store.backend.keys.text_channel(session_id)
    [(_, count)] = await store.backend.redis.pubsub_numsub(channel)
    return count


def collect(batches, into):
    """Read the frames of batches into a list, in a task."""

    async def read():
        async with aclosing(batches):
            async for batch in batches:
                into.extend(batch)

    return asyncio.create_task(read())


def told(frames):
    """Return the numbers of events and the texts of pieces, in order."""
    return [frame.event.seq or frame.event.data["text"] for frame in frames]


async def make_step(manager, store, lease, n):
    """Have one more event in the log."""
    await store.progress.record(lease, [(step(n), call_of(step(n)))])
    manager.wake(lease.session.id)


async def test_listeners_hear_a_piece_between_the_events_and_go_on_from_their_place(
    manager, store, leased
):
    """It has no place in the log: the event after it is the next, nothing is missed or comes twice."""
    lease = await leased()
    session_id, frames = lease.session.id, []
    reading = collect(manager.follow(session_id, has_text=True), frames)
    await until(lambda: len(frames) == 3)
    for n in (1, 2):
        await say(store, session_id, f"piece {n}")
        await until(lambda n=n: len(frames) == 2 + 2 * n)
        await make_step(manager, store, lease, n)
        await until(lambda n=n: len(frames) == 3 + 2 * n)
    assert told(frames) == [1, 2, 3, "piece 1", 4, "piece 2", 5]
    assert frames[3].cursor is None
    manager.close()
    await reading


async def test_many_listeners_cost_one_subscription_and_one_encoding(manager, store, leased):
    """A thousand of one session must not mean a thousand of anything in the store."""
    session_id, frames = (await leased()).session.id, []
    readings = [
        collect(manager.follow(session_id, Cursor(3), has_text=True), frames) for _ in range(100)
    ]
    await say(store, session_id, "once")
    await until(lambda: len(frames) == 100)
    assert len({id(frame) for frame in frames}) == 1
    assert await subscribers(store, session_id) == 1
    manager.close()
    await asyncio.gather(*readings)


async def test_follower_of_the_log_only_is_not_woken_and_subscribes_to_nothing(
    manager, store, leased
):
    """Whoever waits for a run's end has no use for what is said meanwhile."""
    session_id, log_only, all_of_it = (await leased()).session.id, [], []
    readings = [collect(manager.follow(session_id, Cursor(2)), log_only)]
    await until(lambda: len(log_only) == 1)
    assert await subscribers(store, session_id) == 0
    feed = manager._feeds[session_id]
    await until(lambda: feed._window)  # its reader has told of what there is
    changed = feed.changed
    readings.append(collect(manager.follow(session_id, Cursor(2), has_text=True), all_of_it))
    await say(store, session_id, "piece")
    await until(lambda: len(all_of_it) == 2)
    assert not changed.is_set()
    assert told(log_only) == [3]
    manager.close()
    await asyncio.gather(*readings)


async def test_listener_who_comes_late_hears_what_is_said_from_then_on(manager, store, leased):
    """What was said before is the text so far of its run."""
    session_id, early, late = (await leased()).session.id, [], []
    readings = [collect(manager.follow(session_id, Cursor(3), has_text=True), early)]
    await say(store, session_id, "before")
    await until(lambda: early)
    readings.append(collect(manager.follow(session_id, Cursor(2), has_text=True), late))
    await until(lambda: late)
    await publish(store, session_id, "after")
    await until(lambda: len(early) == len(late) == 2)
    assert (told(early), told(late)) == (["before", "after"], [3, "after"])
    manager.close()
    await asyncio.gather(*readings)


async def test_listener_to_a_run_hears_no_other(manager, store, leased):
    """A session's runs follow one another, and each has its own readers."""
    lease = await leased()
    session_id, frames, every = lease.session.id, [], []
    mine = collect(manager.follow(session_id, Cursor(3), lease.run.id, has_text=True), frames)
    all_of_them = collect(manager.follow(session_id, Cursor(3), has_text=True), every)
    await say(store, session_id, "another's")
    await publish(store, session_id, "mine", lease.run.id)
    await until(lambda: frames and len(every) == 2)
    assert told(frames) == ["mine"]
    manager.close()
    await asyncio.gather(mine, all_of_them)


async def test_slow_listener_misses_pieces_and_no_events(manager, store, leased):
    """Nothing is kept for it: the log has the events, and the run the text so far."""
    lease = await leased()
    session_id, quick = lease.session.id, []
    slow = manager.follow(session_id, Cursor(2), has_text=True)
    assert told(await anext(slow)) == [3]
    reading = collect(manager.follow(session_id, Cursor(3), has_text=True), quick)
    await say(store, session_id, "0")
    for number in range(1, 3 * PIECES):
        await publish(store, session_id, str(number))
    for n in range(1, 6):
        await make_step(manager, store, lease, n)
    await until(lambda: {8, str(3 * PIECES - 1)} <= set(told(quick)))
    found = []
    while str(3 * PIECES - 1) not in found:
        found += told(await anext(slow))
    pieces = [str(number) for number in range(2 * PIECES, 3 * PIECES)]
    assert found == [4, 5, 6, 7, 8, *pieces]
    await slow.aclose()
    manager.close()
    await reading


async def test_last_listener_of_a_session_ends_its_subscription(manager, store, leased):
    """And the last of all the connection; whoever comes then has another."""
    sessions = [(await leased()).session.id for _ in range(2)]
    frames = []
    for _ in range(2):
        first, second, other = (
            collect(manager.follow(session_id, Cursor(3), has_text=True), frames)
            for session_id in (sessions[0], sessions[0], sessions[1])
        )
        await say(store, sessions[0], "a")
        await say(store, sessions[1], "b")
        await cancelled(first)
        await say(store, sessions[0], "c")
        await cancelled(second)

        async def is_left():
            return await subscribers(store, sessions[0]) == 0

        await until(is_left)
        assert await subscribers(store, sessions[1]) == 1
        await cancelled(other)
        await until(lambda: manager._listening._task.done())
        assert await subscribers(store, sessions[1]) == 0


async def cancelled(task):
    """End a task."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_listeners_outlive_a_store_that_is_away(manager, store, leased, monkeypatch):
    """A pause, and then they hear again; the log goes on meanwhile."""
    monkeypatch.setattr(listening, "PAUSE", 0.01)
    refused, real = 0, store.texts.spoken

    async def spoken(wanted):
        nonlocal refused
        refused += 1
        if refused < 4:
            raise StoreUnavailable("unavailable", "away")
        async with aclosing(real(wanted)) as events:
            async for event in events:
                yield event

    monkeypatch.setattr(store.texts, "spoken", spoken)
    session_id, frames = (await leased()).session.id, []
    reading = collect(manager.follow(session_id, Cursor(2), has_text=True), frames)
    await until(lambda: len(frames) == 1)
    await say(store, session_id, "back")
    await until(lambda: len(frames) == 2)
    assert (refused, told(frames)) == (4, [3, "back"])
    manager.close()
    await reading


async def test_listeners_hear_again_after_all_connections_were_cut(url, real_redis, monkeypatch):
    """Each session is subscribed to again, over one connection."""
    monkeypatch.setattr(listening, "PAUSE", 0.05)
    publishing = make_store(real_redis, "test", StoreConfig())
    async with open_store(url, "test", StoreConfig()) as store:
        manager = ConnectionManager(store)
        sessions = [(await store.sessions.create("ann", None, {}, None)).id for _ in range(2)]
        frames = {session_id: [] for session_id in sessions}
        readings = [
            collect(manager.follow(session_id, Cursor(1), has_text=True), frames[session_id])
            for session_id in sessions
        ]
        for number in range(3):
            for session_id in sessions:
                await say(publishing, session_id, str(number))
                await until(lambda s=session_id, n=number: len(frames[s]) == n + 1)
            await real_redis.client_kill_filter(_type="pubsub")
            await real_redis.client_kill_filter(_type="normal", skipme=True)
        await manager.aclose()
        await asyncio.gather(*readings)
        assert await real_redis.client_list(_type="pubsub") == []
    assert [told(found) for found in frames.values()] == [["0", "1", "2"]] * 2
