"""A door that opens at the first request."""

import asyncio
import threading

import pytest

from orchestrator.mcp.door import Door, Handed


class Behind:
    """What is behind a door: notes what it is asked."""

    def __init__(self):
        self.asked = []
        self.has_ended = False

    async def keep(self, ready):
        """Be ready until cancelled."""
        ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.has_ended = True

    async def handle(self, scope, receive, send):
        """Take the body, then wait for what never comes, where it is told to."""
        self.asked.append(await receive())
        if scope.get("waits"):
            await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def test_it_is_loaded_once_in_a_thread_however_many_come():
    """A second of imports must not hold the loop, nor be paid twice."""
    threads = []

    def load():
        threads.append(threading.current_thread())
        return Behind()

    door = Door(load)
    first, *others = await asyncio.gather(*(door.opened() for _ in range(10)))
    assert {id(other) for other in others} == {id(first)}
    [thread] = threads
    assert thread is not threading.main_thread()
    await door.aclose()
    assert first.has_ended


async def test_one_that_could_not_be_loaded_is_tried_again():
    """Memory may come back."""
    outcomes = [MemoryError(), Behind()]

    def load():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    door = Door(load)
    with pytest.raises(MemoryError):
        await door.opened()
    await door.aclose()
    assert isinstance(await door.opened(), Behind)
    await door.aclose()


async def test_client_that_goes_while_it_opens_leaves_it_to_the_others():
    """The load goes on."""
    go_on = threading.Event()

    def load():
        go_on.wait(10)
        return Behind()

    door = Door(load)
    leaving = asyncio.create_task(door.opened())
    staying = asyncio.create_task(door.opened())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait({leaving})
    go_on.set()
    assert isinstance(await staying, Behind)
    await door.aclose()


async def test_one_that_nobody_used_closes():
    """There is nothing to end."""
    await Door(Behind).aclose()


def channel(*messages):
    """Return what a client sends, which is then silent."""
    left = list(messages)

    async def receive():
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


async def test_request_is_handed_with_the_body_that_was_read():
    """And what answers it sends."""
    behind, sent = Behind(), []

    async def send(message):
        sent.append(message["type"])

    await Handed(behind, b"{}")({}, channel(), send)
    assert behind.asked == [{"type": "http.request", "body": b"{}", "more_body": False}]
    assert sent == ["http.response.start"]


async def test_client_that_goes_ends_its_request():
    """However long it would take."""
    behind = Behind()
    gone = channel({"type": "http.disconnect"})
    async with asyncio.timeout(10):
        await Handed(behind, b"{}")({"waits": True}, gone, None)
    assert len(behind.asked) == 1
