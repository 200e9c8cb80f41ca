"""Within a process, whoever comes first is served first, and nobody who has left holds up the line."""

import asyncio
import time

import pytest

from execution_environment.transactions.turns import Turns


def soon() -> float:
    """Return a deadline that nobody should reach."""
    return time.monotonic() + 30


async def in_line(turns: Turns, order: list[int], number: int) -> None:
    """Wait for the turn, and note that it came."""
    await turns.wait("w", soon())
    order.append(number)
    turns.give("w")


async def test_turns_come_in_order_of_arrival():
    """Who takes a free one in a thread is in nobody's way: it has waited for nothing."""
    turns, order = Turns(), []
    assert turns.take("w")
    assert not turns.take("w")
    assert turns.take("other")
    line = [asyncio.create_task(in_line(turns, order, number)) for number in range(4)]
    await asyncio.sleep(0)
    assert not turns.take("w")
    await asyncio.to_thread(turns.give, "w")
    await asyncio.gather(*line)
    assert (order, turns.take("w")) == ([0, 1, 2, 3], True)


async def test_a_turn_that_does_not_come_in_time_is_told_and_left():
    """The next in line is not held up by those who have gone."""
    turns, order = Turns(), []
    assert turns.take("w")
    with pytest.raises(TimeoutError):
        await turns.wait("w", time.monotonic())
    gone = asyncio.create_task(in_line(turns, order, 0))
    stays = asyncio.create_task(in_line(turns, order, 1))
    await asyncio.sleep(0)
    gone.cancel()
    turns.give("w")
    await stays
    assert (gone.cancelled(), order, turns.take("w")) == (True, [1], True)


async def test_a_turn_that_comes_together_with_a_cancellation_is_passed_on():
    """It was handed over, and nobody is there any more to give it back."""
    turns = Turns()
    assert turns.take("w")
    waiting = asyncio.create_task(turns.wait("w", soon()))
    await asyncio.sleep(0)
    turns.give("w")
    await asyncio.sleep(0)  # it has been handed over, and its task not gone on yet
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert turns.take("w")
