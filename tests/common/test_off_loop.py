"""What is little is done at once; what may hold up the event loop is not, however it is packed."""

import threading
import time

import pytest
from pydantic import BaseModel

from common.off_loop import SMALL, is_small, off_loop


class Packed(BaseModel):
    """A model that holds something."""

    held: object


@pytest.mark.parametrize(
    "value", [None, 5, "text", ["text"] * 100, {"a": {"b": [1]}}, Packed(held=["x"])]
)
def test_is_small_takes_what_is_little_for_little(value):
    """A thread for each would cost more than the work."""
    assert is_small(value)


@pytest.mark.parametrize("packed", [str, list, dict, Packed, "key"])
def test_is_small_finds_what_is_large_wherever_it_lies(packed):
    """One long text, one long list, an object of many keys, or a model around them."""
    values = {
        str: "x" * (SMALL + 1),
        list: [[0] * SMALL],
        dict: {"a": dict.fromkeys(range(SMALL))},
        Packed: Packed(held=[Packed(held="x" * SMALL)]),
        "key": {"x" * SMALL: 1},
    }
    assert not is_small(values[packed])


def test_is_small_counts_what_several_values_come_to():
    """Each by itself is little."""
    half = "x" * (SMALL // 2)
    assert [is_small(half), is_small(half, half, half)] == [True, False]


def test_is_small_looks_at_no_more_of_what_is_large_than_it_has_to():
    """It is asked on the event loop."""
    huge = [["x"] * 100] * 1_000_000
    started = time.thread_time()
    assert not is_small({"a": huge})
    assert time.thread_time() - started < 0.01


@pytest.mark.parametrize("is_little", [True, False])
async def test_off_loop_takes_a_thread_for_what_is_not_little(is_little):
    """And gives what the work gives, either way."""
    here = threading.get_ident()
    assert (await off_loop(is_little, threading.get_ident) == here) is is_little
