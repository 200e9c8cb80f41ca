"""The helpers of these tests can fail."""

import pytest
from fakeredis import FakeAsyncRedis

from tests.orchestrator.builders import keys_without_expiry
from tests.orchestrator.fakes import until


async def test_leak_check_finds_a_key_without_expiry():
    """The fixture that guards all tests here can fail."""
    redis = FakeAsyncRedis(decode_responses=True)
    await redis.set("short", 1, ex=5)
    for key in ("for ever", "test:user:{ann}:rules:x", "test:{ses}:rules", "x:test:format"):
        await redis.set(key, 1)
    expected = await redis.keys("*")
    for key in ("test:format", "test:user:{ann}:rules"):  # these stay on purpose
        await redis.set(key, 1)
    assert sorted(await keys_without_expiry(redis)) == sorted(set(expected) - {"short"})
    await redis.aclose()


async def test_until_raises_for_a_condition_that_never_holds():
    """A condition that never holds is an error, not a hang."""
    with pytest.raises(TimeoutError):
        await until(lambda: False, seconds=0.02)
