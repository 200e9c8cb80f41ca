"""Readiness: each dependency with its state and reason, asked seldom and in a bounded time."""

import asyncio

import pytest

from common.errors import SystemFault
from orchestrator import readiness
from orchestrator.readiness import Readiness
from orchestrator.store.backend import StoreConfig
from orchestrator.store.store import make_store, open_store


class _Loops:
    def __init__(self, **states):
        self._states = states

    def states(self):
        """Return what it was made of."""
        return self._states


async def _fine():
    return None


def _over(ping, **loops):
    return Readiness("api", {"store": {"kind": "redis"}}, {"store": ping}, _Loops(**loops))


async def _reason(ready):
    with pytest.raises(SystemFault) as caught:
        await ready.facts()
    assert caught.value.code == "unavailable"
    return caught.value.detail


async def test_readiness_tells_the_state_of_everything():
    """What a deployment stands on."""
    assert await _over(_fine, worker=None).facts() == {
        "role": "api",
        "store": {"state": "ok", "kind": "redis"},
        "worker": {"state": "ok"},
    }


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("maxmemory", "store: The session store at Redis is full"),
        ("min-replicas-to-write", "NOREPLICAS"),
    ],
)
async def test_readiness_tries_a_write_in_the_store(real_redis, setting, why):
    """A store at its memory limit answers every PING."""
    ready = _over(make_store(real_redis, "test", StoreConfig()).ping)
    await real_redis.config_set(setting, "1")
    assert why in await _reason(ready)
    await real_redis.config_set(setting, "0")


async def test_readiness_names_all_that_is_wrong():
    """The store that is away, and the loop that has failed."""
    async with open_store("redis://127.0.0.1:1", "test", StoreConfig()) as store:
        reason = await _reason(_over(store.ping, worker="it has failed"))
    assert reason == (
        "store: The session store at redis://127.0.0.1:1 cannot be reached: Connection refused;"
        " worker: it has failed"
    )


async def test_readiness_does_not_wait_for_a_dependency_that_hangs(monkeypatch):
    """Whoever probes has a limit of its own, and would learn nothing."""
    monkeypatch.setattr(readiness, "PATIENCE", 0.01)
    assert await _reason(_over(asyncio.Event().wait)) == "store: it does not answer in time"


async def test_readiness_is_asked_about_once_a_second(monkeypatch):
    """Anybody may probe, at any rate; an answer is not older than that."""
    asked = []

    async def ping():
        asked.append(1)
        await asyncio.sleep(0)

    ready = _over(ping)
    await asyncio.gather(*(ready.facts() for _ in range(100)))
    await ready.facts()
    assert len(asked) == 1
    monkeypatch.setattr(readiness, "FRESH", 0.0)
    await ready.facts()
    assert len(asked) == 2
