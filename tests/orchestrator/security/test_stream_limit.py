"""Open streams of a user: bounded, noted while they are open, and no longer."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from common.errors import ClientError
from orchestrator.security.stream_limit import LEASE, StreamLimit
from tests.orchestrator.fakes import until

KEY = "test:user:{ann}:limit:streams"


@pytest.fixture
async def limit(store):
    """Two streams for each user."""
    limit = StreamLimit(store.rate_limits, 2)
    yield limit
    await limit.close()


async def test_stream_too_many_is_refused_until_one_ends(limit, store, redis):
    """On each replica: they look at the same set."""
    other = StreamLimit(store.rate_limits, 2)
    async with limit.stream("ann"):
        async with limit.stream("ann"):
            with pytest.raises(ClientError) as caught:
                await other.stream("ann").__aenter__()
            assert (caught.value.code, caught.value.context.limit) == ("rate_limited", 2)
            assert caught.value.retry_after <= LEASE
        async with other.stream("ann"):
            assert await redis.zcard(KEY) == 2
    assert not await redis.exists(KEY)


async def test_stream_of_a_client_that_went_leaves_its_place(limit, redis):
    """Its task is being cancelled: nothing that it awaits would be done any more."""
    opened = asyncio.Event()

    async def follow():
        async with limit.stream("ann"):
            opened.set()
            await asyncio.Event().wait()

    following = asyncio.create_task(follow())
    await opened.wait()
    assert await redis.zcard(KEY) == 1
    while not following.done():  # as Starlette's cancel scope does: again at each await
        following.cancel()
        await asyncio.sleep(0)

    async def is_free():
        return not await redis.exists(KEY)

    await until(is_free)


async def test_streams_are_kept_noted_while_they_are_open(limit, redis, monkeypatch):
    """Also when the store has lost them meanwhile."""
    monkeypatch.setattr("orchestrator.security.stream_limit.LEASE", LEASE / 20)
    keeping = asyncio.create_task(limit.keep())
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(limit.stream("ann"))
        await redis.delete(KEY)

        async def is_noted():
            return await redis.zcard(KEY) == 2

        await until(is_noted)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_any_number_of_streams_costs_nothing(store, redis):
    """Without a limit there is nothing to note."""
    limit = StreamLimit(store.rate_limits, 0)
    async with limit.stream("ann"), limit.stream("ann"):
        assert await redis.keys("*") == []


async def test_streams_of_this_process_are_bounded_while_the_store_is_away(away):
    """What is known is what is open here."""
    limit = StreamLimit(away.rate_limits, 1)
    async with limit.stream("ann"):
        with pytest.raises(ClientError, match="rate_limited"):
            await limit.stream("ann").__aenter__()
        async with limit.stream("bob"):
            await limit.renew()
    async with limit.stream("ann"):
        pass
    await limit.close()
