"""The store's format: written with the first connection, looked at with each, refused when newer."""

import asyncio

import pytest

from common.errors import SystemFault
from orchestrator.store.backend import StoreConfig
from orchestrator.store.server.formats import FORMAT, UnknownFormat
from orchestrator.store.store import open_store

CONFIG = StoreConfig()


async def test_format_is_written_to_data_without_one(url, real_redis):
    """The first version wrote none; the number stays, whatever else expires."""
    async with open_store(url, "test", CONFIG) as store:
        session = await store.sessions.create("ann", "w", {}, None)
    assert (await real_redis.get("test:format"), await real_redis.ttl("test:format")) == (
        str(FORMAT),
        -1,
    )
    async with open_store(url, "test", CONFIG) as store:
        assert (await store.sessions.get(session.id, "ann")).workspace == "w"


async def test_format_that_is_newer_is_refused(url, real_redis):
    """A program that knows less would write what the newer one cannot read."""
    await real_redis.set("test:format", FORMAT + 1)
    with pytest.raises(
        UnknownFormat,
        match=f"its format is {FORMAT + 1}, and this program knows none above {FORMAT}",
    ):
        async with open_store(url, "test", CONFIG):
            pass
    assert await real_redis.get("test:format") == str(FORMAT + 1)
    async with open_store(url, "other", CONFIG) as store:
        await store.ping()


async def test_format_that_becomes_newer_is_noticed_on_the_next_connection(url, real_redis):
    """In a rolling upgrade the old replicas still run."""
    async with open_store(url, "test", CONFIG) as store:
        await real_redis.set("test:format", FORMAT + 1)
        await real_redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        async with asyncio.timeout(10):
            while f"its format is {FORMAT + 1}" not in await _refusal(store):
                continue


async def _refusal(store):
    """Return why the store cannot be used; the end of a connection may be noticed in using it."""
    with pytest.raises(SystemFault) as caught:
        await store.ping()
    assert caught.value.code == "unavailable"
    return caught.value.detail


async def test_format_of_a_full_store_is_read_all_the_same(url, real_redis):
    """Looking at the format takes no room where it is written already."""
    async with open_store(url, "test", CONFIG):
        pass
    await real_redis.config_set("maxmemory", "1")
    async with open_store(url, "test", CONFIG) as store:
        assert (await store.sessions.list("ann", 10, None)).items == []


async def test_format_is_not_yet_written_to_a_full_store_which_is_read(url, real_redis):
    """Its format cannot be written down yet: that waits for a connection that finds room."""
    await real_redis.config_set("maxmemory", "1")
    async with open_store(url, "test", CONFIG) as store:
        assert (await store.sessions.list("ann", 10, None)).items == []
    assert await real_redis.get("test:format") is None
    await real_redis.config_set("maxmemory", "0")
