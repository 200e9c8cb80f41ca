"""Following events: nothing missed, nothing twice, gaps told, ends noticed, read once for all."""

import asyncio
from contextlib import aclosing

import pytest

from common.errors import SystemFault
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.records import Ending
from orchestrator.streaming import connections, feeds, following
from orchestrator.streaming.connections import ConnectionManager
from orchestrator.streaming.frames import MAX_SEQ, START, Cursor
from tests.orchestrator.builders import call_of, step, turn
from tests.orchestrator.fakes import until


@pytest.fixture
async def manager(store):
    """A manager over the store; at its end no reader is left."""
    manager = ConnectionManager(store)
    yield manager
    await manager.aclose()
    await until(lambda: not manager._feeds)


@pytest.fixture
def reads(store, monkeypatch):
    """The numbers after which the log was read."""
    seqs = []
    real = store.events.after

    async def after(session_id, seq, count):
        seqs.append(seq)
        return await real(session_id, seq, count)

    monkeypatch.setattr(store.events, "after", after)
    return seqs


def collect(batches, into):
    """Read batches into a list, in a task."""

    async def read():
        async with aclosing(batches):
            async for batch in batches:
                into.extend(frame.event for frame in batch)

    return asyncio.create_task(read())


def events_key(session_id):
    """Return where the log is."""
    return f"test:{{{session_id}}}:events"


async def wind(redis, session_id, seq, entries):
    """Put the log back to `seq` and write other entries: what a stale replica does that takes over."""
    await redis.xtrim(events_key(session_id), maxlen=0, approximate=False)
    await redis.delete(events_key(session_id))
    for offset, (kind, time) in enumerate(entries, start=1):
        fields = {"type": kind, "time": time, "run": "", "step": "", "data": "{}"}
        await redis.xadd(events_key(session_id), fields, id=f"{seq + offset}-0")
    await redis.expire(events_key(session_id), 60)
    await redis.hset(f"test:{{{session_id}}}:session", "seq", seq + len(entries))


async def test_follower_of_a_run_gets_its_events_and_the_end(manager, store, leased):
    """Also those that were there before."""
    lease = await leased()
    seen = []
    reading = collect(manager.follow(lease.session.id, START, lease.run.id), seen)
    await until(lambda: len(seen) == 2)
    await store.progress.record(lease, [(step(), call_of(step()))])
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
    assert not manager._feeds


async def test_follower_is_reached_when_its_notification_is_lost(
    manager, store, leased, monkeypatch
):
    """One look for all that is followed finds what was not told."""
    monkeypatch.setattr(connections, "POLL", 0.02)
    lease = await leased()
    seen = []
    reading = collect(manager.follow(lease.session.id, Cursor(3)), seen)
    await store.progress.record(lease, [(step(), call_of(step()))])
    await until(lambda: len(seen) == 1)
    manager.close()
    await reading
    assert seen[0].seq == 4


async def test_an_event_is_read_once_and_encoded_once_for_all_followers(
    manager, store, leased, reads
):
    """A thousand readers of one event held up everybody else's commands."""
    lease = await leased()
    frames = []

    async def follow():
        async for batch in manager.follow(lease.session.id, Cursor(3)):
            frames.extend(batch)

    readings = [asyncio.create_task(follow()) for _ in range(100)]
    await until(lambda: len(reads) > 100)
    await until(lambda: manager._feeds[lease.session.id].last_seq == 3)
    before = len(reads)
    await store.progress.record(lease, [(step(), call_of(step()))])
    manager.wake(lease.session.id)
    await until(lambda: len(frames) == 100)
    assert len(reads) - before == 1
    assert len({id(frame) for frame in frames}) == 1
    manager.close()
    await asyncio.gather(*readings)


async def test_idle_followers_ask_the_store_for_nothing_one_by_one(
    manager, leased, reads, monkeypatch
):
    """One question for all of them, however many they are."""
    asked = []
    real = manager._store.events.last_seqs

    async def last_seqs(session_ids):
        asked.append(list(session_ids))
        return await real(session_ids)

    monkeypatch.setattr(manager._store.events, "last_seqs", last_seqs)
    monkeypatch.setattr(connections, "POLL", 0.01)
    sessions = [(await leased()).session.id for _ in range(3)]
    readings = [collect(manager.follow(s, Cursor(3)), []) for s in sessions for _ in range(10)]
    await until(lambda: any(len(ids) == 3 for ids in asked))
    await until(lambda: all(feed.last_seq == 3 for feed in manager._feeds.values()))
    await until(lambda: len(reads) >= 33)
    before, rounds = len(reads), len(asked)
    await until(lambda: len(asked) > rounds + 5)
    assert len(reads) == before
    manager.close()
    await asyncio.gather(*readings)


@pytest.mark.parametrize("has_text", [False, True])
async def test_follower_is_told_of_silence(manager, leased, monkeypatch, has_text):
    """One timer for all: what they send then keeps proxies from cutting the connection."""
    monkeypatch.setattr(connections, "POLL", 0.01)
    monkeypatch.setattr(feeds, "HEARTBEAT", 0.05)
    lease = await leased()
    following = manager.follow(lease.session.id, Cursor(3), has_text=has_text)
    async with aclosing(following) as batches:
        assert [list(await anext(batches)) for _ in range(2)] == [[], []]


async def test_slow_follower_reads_on_from_its_own_place(manager, store, leased, monkeypatch):
    """What it has not taken lies in the log, not in this process."""
    monkeypatch.setattr(feeds, "WINDOW", 2)
    lease = await leased()
    fast = []
    slow = manager.follow(lease.session.id, Cursor(2))
    assert [frame.event.seq for frame in await anext(slow)] == [3]
    reading = collect(manager.follow(lease.session.id), fast)
    for n in range(1, 6):
        await store.progress.record(lease, [(step(n), call_of(step()))])
        manager.wake(lease.session.id)
        await until(lambda n=n: len(fast) == 3 + n)
        assert len(manager._feeds[lease.session.id]._window) <= 2
    seen = []
    while len(seen) < 5:
        seen += [frame.event.seq for frame in await anext(slow)]
    assert seen == [4, 5, 6, 7, 8]
    await slow.aclose()
    manager.close()
    await reading


@pytest.mark.parametrize(
    ("cursor", "from_seq", "to_seq"),
    [(Cursor(0), 1, 3), (Cursor(50), 5, 50), (Cursor(MAX_SEQ), 5, MAX_SEQ), (Cursor(9, 1), 5, 9)],
)
async def test_follower_is_told_of_a_gap_where_events_were_trimmed_or_lost(
    manager, store, leased, redis, cursor, from_seq, to_seq
):
    """Trimmed, or lost with a server that failed: a snapshot to go on from."""
    lease = await leased()
    await store.progress.record_turn(lease, turn(step()))
    await redis.xtrim(events_key(lease.session.id), maxlen=1, approximate=False)
    async with aclosing(manager.follow(lease.session.id, cursor, lease.run.id)) as batches:
        gap, *rest = [frame.event for frame in await anext(batches)]
    assert (gap.type, gap.data["from_seq"], gap.data["to_seq"]) == ("gap", from_seq, to_seq)
    assert gap.data["run"]["status"] == "running"
    assert [event.seq for event in rest] == ([4] if cursor == START else [])


async def test_cursor_whose_number_was_given_out_twice_gets_a_gap(manager, store, leased):
    """The client's event 2 is another one than the log's: the time in the id tells."""
    lease = await leased()
    log = await store.events.after(lease.session.id, 1, 1)
    ms = round(log.events[0].time.timestamp() * 1000)
    for cursor, seqs in ((Cursor(2, ms), [3]), (Cursor(2), [3]), (Cursor(2, ms - 1), [2, 3])):
        async with aclosing(manager.follow(lease.session.id, cursor)) as batches:
            events = [frame.event for frame in await anext(batches)]
        assert [event.seq for event in events] == seqs
    assert (events[0].type, events[0].data["to_seq"], events[0].data["run"]) == ("gap", 2, None)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], [(2, "gap", 3, 3)]),
        ([("other", 5)], [(3, "gap", 1, 3)]),
        ([("other", 5), ("another", 6)], [(3, "gap", 1, 3), (4, "another", None, None)]),
    ],
    ids=["shorter", "as-long", "longer"],
)
async def test_follower_is_told_of_a_log_that_a_failover_has_replaced(
    manager, leased, redis, entries, expected
):
    """Its reader looks again at the last entry that it has read."""
    lease = await leased()
    seen = []
    reading = collect(manager.follow(lease.session.id), seen)
    await until(lambda: len(seen) == 3)
    await until(lambda: manager._feeds[lease.session.id].last_seq == 3)
    manager.wake(lease.session.id)
    await wind(redis, lease.session.id, 2, entries)
    manager.wake(lease.session.id)
    await until(lambda: len(seen) >= 3 + len(expected))
    told = [(e.seq, e.type, e.data.get("from_seq"), e.data.get("to_seq")) for e in seen[3:]]
    assert told == expected
    manager.close()
    await reading


async def test_follower_of_a_run_ends_with_a_gap_over_its_end(manager, store, leased, redis):
    """The snapshot says that the run is over."""
    lease = await leased()
    await store.progress.finish(lease, Ending("cancelled", reason="x"))
    await redis.delete(events_key(lease.session.id))
    seen = []
    await collect(manager.follow(lease.session.id, START, lease.run.id), seen)
    assert [event.type for event in seen] == ["gap"]


async def test_event_of_an_unknown_type_is_passed_on(manager, leased, redis):
    """A newer service writes it into the log that an older one reads (rolling upgrades)."""
    lease = await leased()
    await wind(redis, lease.session.id, 3, [("run.pondered", 5)])
    async with aclosing(manager.follow(lease.session.id, Cursor(3))) as batches:
        [frame] = await anext(batches)
    assert frame.event.type == "run.pondered"


async def test_follower_ends_when_its_session_is_deleted(manager, store, session):
    """There is nothing more to come."""
    opened = await session()
    seen = []
    reading = collect(manager.follow(opened.id), seen)
    await until(lambda: seen)
    await store.sessions.delete(opened.id, "ann")
    manager.wake(opened.id)
    await reading


async def test_followers_end_when_the_process_stops(manager, leased):
    """Those that come only now as well."""
    lease = await leased()
    seen = []
    reading = collect(manager.follow(lease.session.id), seen)
    await until(lambda: len(seen) == 3)
    manager.close()
    await reading
    await collect(manager.follow(lease.session.id), seen)
    assert len(seen) == 3


async def test_follower_outlives_a_store_that_is_away(manager, store, leased, monkeypatch):
    """A pause, and then it goes on from its place: nothing missed, nothing twice."""
    monkeypatch.setattr(feeds, "PAUSE", 0.01)
    monkeypatch.setattr(following, "PAUSE", 0.01)
    lease = await leased()
    away, refused = False, 0
    real = store.events.after

    async def after(*args):
        nonlocal refused
        if away:
            refused += 1
            raise StoreUnavailable("unavailable", "away")
        return await real(*args)

    monkeypatch.setattr(store.events, "after", after)
    early, late = [], []
    readings = [collect(manager.follow(lease.session.id), early)]
    await until(lambda: len(early) == 3)
    away = True
    readings.append(collect(manager.follow(lease.session.id), late))
    await store.progress.record(lease, [(step(), call_of(step()))])
    manager.wake(lease.session.id)
    await until(lambda: refused > 5)
    away = False
    await until(lambda: len(early) == len(late) == 4)
    assert [e.seq for e in early] == [e.seq for e in late] == [1, 2, 3, 4]
    manager.close()
    await asyncio.gather(*readings)


async def test_followers_end_when_their_reader_fails(manager, store, leased, monkeypatch):
    """An error inside ends them: a client that is told comes again, one that hangs does not."""
    lease = await leased()
    seen = []
    reading = collect(manager.follow(lease.session.id, Cursor(3)), seen)
    await until(lambda: manager._feeds)
    await until(lambda: manager._feeds[lease.session.id].last_seq == 3)

    async def broken(*_):
        raise ValueError

    monkeypatch.setattr(store.events, "after", broken)
    manager.wake(lease.session.id)
    with pytest.raises(SystemFault, match="internal"):
        await reading
