"""Buckets and open streams: counted together by all replicas, by the store's own clock."""

import asyncio
from datetime import timedelta

import pytest

from orchestrator.store.backend import StoreConfig
from orchestrator.store.rate_limits import Rate
from orchestrator.store.store import make_store

ZERO = timedelta(0)
LEASE = timedelta(seconds=30)
SLOW = Rate(1, timedelta(hours=1), 3)
QUICK = Rate(5, timedelta(seconds=1), 2)


@pytest.fixture
def limits(any_store):
    """The limits over each kind of Redis."""
    return any_store.rate_limits


async def test_bucket_gives_its_burst_and_then_nothing(limits):
    """And to each user their own."""
    waits = [await limits.spend("ann", "runs", SLOW) for _ in range(5)]
    assert waits[:3] == [ZERO] * 3
    assert timedelta(minutes=59) < min(waits[3:]) <= max(waits[3:]) <= timedelta(hours=1)
    assert await limits.spend("bob", "runs", SLOW) == ZERO
    assert await limits.spend("ann", "requests", SLOW) == ZERO


async def test_bucket_has_one_more_after_the_wait_that_it_named(limits):
    """A client that waits as long as it was told, and no longer, is let in."""
    for _ in range(3):
        while not (wait := await limits.spend("ann", "requests", QUICK)):
            pass
        await asyncio.sleep(wait.total_seconds())
        assert await limits.spend("ann", "requests", QUICK) == ZERO


async def test_bucket_is_full_and_forgotten_in_the_end(limits, any_redis):
    """Nothing is kept of users who ask for nothing."""
    await limits.spend("ann", "runs", SLOW)
    assert 0 < await any_redis.ttl("test:user:{ann}:limit:runs") <= 3600


async def test_bucket_survives_a_clock_that_was_set_back(limits, any_redis):
    """After a failover to a slower clock a user would have waited for the whole difference."""
    ahead = (await any_redis.time())[0] + 24 * 3600
    await any_redis.set("test:user:{ann}:limit:requests", ahead * 1_000_000, ex=60)
    assert await limits.spend("ann", "requests", QUICK) <= timedelta(milliseconds=200)


async def test_replicas_share_a_users_bucket(limits, any_redis):
    """A user of three replicas would have had three times as much."""
    other = make_store(any_redis, "test", StoreConfig()).rate_limits
    askers = [limits, other] * 5
    waits = await asyncio.gather(*(one.spend("ann", "runs", SLOW) for one in askers))
    assert waits.count(ZERO) == 3


async def test_streams_are_bounded_over_all_replicas(limits, any_redis):
    """The wait is for one whose process has died; what is closed leaves its place at once."""
    other = make_store(any_redis, "test", StoreConfig()).rate_limits
    assert await limits.hold_streams("ann", ["a"], LEASE, 2) == ZERO
    assert await other.hold_streams("ann", ["b"], LEASE, 2) == ZERO
    assert ZERO < await limits.hold_streams("ann", ["c"], LEASE, 2) <= LEASE
    assert await limits.hold_streams("bob", ["d"], LEASE, 2) == ZERO
    await other.drop_stream("ann", "b")
    assert await limits.hold_streams("ann", ["c"], LEASE, 2) == ZERO


async def test_stream_whose_process_died_lapses_and_one_that_is_kept_does_not(limits):
    """A counter would have stayed where it was; waiting as long as it says is enough."""
    short = timedelta(seconds=1)
    await limits.hold_streams("ann", ["dead"], short, 2)
    await limits.hold_streams("ann", ["alive"], LEASE, 2)
    wait = await limits.hold_streams("ann", ["new"], LEASE, 2)
    await asyncio.sleep(wait.total_seconds())
    assert await limits.hold_streams("ann", ["new"], LEASE, 2) == ZERO
    assert await limits.hold_streams("ann", ["more"], LEASE, 2) > short


async def test_thousands_of_streams_are_kept_in_bounded_scripts(limits, any_redis):
    """One process holds them for one user: a script with all of them would be too long."""
    await limits.hold_streams("ann", [str(n) for n in range(9000)], LEASE)
    assert await any_redis.zcard("test:user:{ann}:limit:streams") == 9000
