"""The loop beside the callers'."""

import asyncio
import threading

import pytest

from agentic.harnesses.deepagents.own_loop import OwnLoop


@pytest.fixture
def loop():
    """A loop, which ends with the test."""
    own = OwnLoop()
    yield own
    own.close(nothing())


async def nothing():
    """What is run last."""


async def where():
    """Tell the thread that it runs in."""
    return threading.current_thread()


async def test_all_callers_are_served_in_one_thread(loop):
    """A client's connections belong to one loop, whoever asks."""
    threads = {
        await loop.awaited(where()),
        loop.wait(where()),
        await asyncio.to_thread(lambda: loop.wait(where())),
    }
    assert len(threads) == 1
    assert threading.current_thread() not in threads


async def fails():
    """Raise."""
    raise LookupError("not there")


async def test_what_is_raised_comes_back(loop):
    """In both forms."""
    with pytest.raises(LookupError, match="not there"):
        loop.wait(fails())
    with pytest.raises(LookupError, match="not there"):
        await loop.awaited(fails())


async def test_a_caller_that_is_cancelled_cancels_the_work(loop):
    """Nobody waits for it any more."""
    begun, ended = threading.Event(), threading.Event()

    async def endless():
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    caller = asyncio.create_task(loop.awaited(endless()))
    await asyncio.to_thread(begun.wait)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await asyncio.to_thread(ended.wait, 30)


def test_a_closed_loop_takes_nothing_and_its_thread_has_ended():
    """Also when it is closed twice, or has never been used."""
    loop = OwnLoop()
    thread = loop.wait(where())
    loop.close(nothing())
    loop.close(nothing())
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="closed"):
        loop.wait(where())
    OwnLoop().close(nothing())
