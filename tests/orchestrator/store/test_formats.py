"""The store's format: written with the first connection, looked at with each, refused when newer."""

import asyncio
import re
import signal
import subprocess
import sys

import pytest
from redis.asyncio import Redis

from common.errors import SystemFault
from orchestrator.store.backend import StoreConfig
from orchestrator.store.embedded import embedded_server
from orchestrator.store.formats import FORMAT, UnknownFormat
from orchestrator.store.store import open_store

CONFIG = StoreConfig()


@pytest.fixture
async def url(tmp_path):
    """A real server: what is asked on a new connection is its business."""
    async with embedded_server(tmp_path / "store") as url:
        yield url


@pytest.fixture
async def redis(url):
    """A connection that asks nothing."""
    client = Redis.from_url(url, decode_responses=True)
    yield client
    await client.aclose()


async def test_data_without_a_format_is_taken_over(url, redis):
    """The first version wrote none; the number stays, whatever else expires."""
    async with open_store(url, "test", CONFIG) as store:
        session = await store.sessions.create("ann", "w", {}, None)
    assert (await redis.get("test:format"), await redis.ttl("test:format")) == (str(FORMAT), -1)
    async with open_store(url, "test", CONFIG) as store:
        assert (await store.sessions.get(session.id, "ann")).workspace == "w"


async def test_data_of_a_newer_format_is_refused(url, redis):
    """A program that knows less would write what the newer one cannot read."""
    await redis.set("test:format", FORMAT + 1)
    with pytest.raises(UnknownFormat, match="its format is 3, and this program knows none above 2"):
        async with open_store(url, "test", CONFIG):
            pass
    assert await redis.get("test:format") == str(FORMAT + 1)
    async with open_store(url, "other", CONFIG) as store:
        await store.ping()


async def test_a_newer_program_that_comes_later_is_noticed_on_the_next_connection(url, redis):
    """In a rolling upgrade the old replicas still run."""
    async with open_store(url, "test", CONFIG) as store:
        await redis.set("test:format", FORMAT + 1)
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        async with asyncio.timeout(10):
            while "its format is 3" not in await _refusal(store):
                continue


async def _refusal(store):
    """Return why the store cannot be used; the end of a connection may be noticed in using it."""
    with pytest.raises(SystemFault) as caught:
        await store.ping()
    assert caught.value.code == "unavailable"
    return caught.value.detail


async def test_a_full_store_is_read_all_the_same(url, redis):
    """Looking at the format takes no room where it is written already."""
    async with open_store(url, "test", CONFIG):
        pass
    await redis.config_set("maxmemory", "1")
    async with open_store(url, "test", CONFIG) as store:
        assert (await store.sessions.list("ann", 10, None)).items == []


async def test_a_full_store_of_an_older_program_is_read_as_well(url, redis):
    """Its format cannot be written down yet: that waits for a connection that finds room."""
    await redis.config_set("maxmemory", "1")
    async with open_store(url, "test", CONFIG) as store:
        assert (await store.sessions.list("ann", 10, None)).items == []
    assert await redis.get("test:format") is None
    await redis.config_set("maxmemory", "0")


async def test_a_store_that_is_away_may_come_back(tmp_path):
    """The service starts, and is not ready."""
    async with open_store(f"unix://{tmp_path}/nothing", "test", CONFIG) as store:
        with pytest.raises(SystemFault, match="cannot be reached"):
            await store.ping()


@pytest.mark.parametrize("store", ["newer", "broken"])
async def test_a_service_that_refuses_to_start_says_why_in_one_line(url, redis, tmp_path, store):
    """Whoever reads the log of a container that keeps ending needs no traceback."""
    await redis.set("agentic:format", FORMAT + 1)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "appendonlydir").write_text("in the way")
    more = {
        "newer": {"ORCHESTRATOR_REDIS_URL": url},
        "broken": {"ORCHESTRATOR_DATA_DIR": str(tmp_path / "broken")},
    }[store]
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "orchestrator"],
        env={"PATH": "", "ORCHESTRATOR_PORT": "0", "ORCHESTRATOR_EXECUTION_URL": "http://127.0.0.1:1",
             "ORCHESTRATOR_SERVICE_TOKEN": "t", "ORCHESTRATOR_LOG_FORMAT": "console", **more},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode not in (0, -signal.SIGKILL)
    assert "Traceback" not in ended.stderr
    told = {"newer": "the session store cannot be used: its format is 3", "broken": r"server\.log"}
    assert len(re.findall(told[store], ended.stderr)) == 1
