"""What a call may compute: its deadline holds, or its input is bounded, whatever it is made of."""

import time

import pytest

from common.errors import AgenticError
from tests.execution_environment.searching.patterns import SLOW, slow_text

SOON = 10
"""Seconds within which all of it has to be over: what is bounded takes a fraction of one."""


async def ended(pending) -> AgenticError:
    """Return the error that a call ends with, soon."""
    begun = time.monotonic()
    with pytest.raises(AgenticError) as caught:
        await pending
    assert time.monotonic() - begun < SOON
    return caught.value


async def answered(pending):
    """Return what a call answers, soon."""
    begun = time.monotonic()
    result = await pending
    assert time.monotonic() - begun < SOON
    return result.output


async def test_a_pattern_that_takes_minutes_ends_at_the_deadline(call, demo):
    """340 characters over a third of a megabyte; RE2 cannot be interrupted."""
    (demo / "x").write_bytes(slow_text())
    error = await ended(call("search_files", {"timeout": 1}, pattern=SLOW))
    assert (error.code, error.outcome) == ("deadline_exceeded", "not_executed")


async def test_context_costs_what_is_shown_of_it(call, demo):
    """Not the whole file once more for each occurrence."""
    (demo / "x").write_text("ab\n" * 300_000)
    output = await answered(
        call("search_files", {"timeout": 5}, pattern="a", context=20, limit=1000)
    )
    assert (output["total"], output["truncated"]) == (300_000, True)
    assert output["matches"][30]["before"] == ["ab"] * 20


async def test_a_search_returns_no_more_text_than_can_be_shown(call, demo):
    """1,000 occurrences with 40 long lines around each would be 20 MB."""
    (demo / "x").write_text(("a" * 500 + "\n") * 2000)
    output = await answered(call("search_files", pattern="^a", context=20, limit=1000))
    assert len(str(output["matches"])) < 2_000_000
    assert (output["total"], output["truncated"]) == (2000, True)


async def test_a_sparse_file_is_skipped_by_its_size(call, demo):
    """It is not read to find out that it is too large."""
    with (demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    output = await answered(call("search_files", {"timeout": 5}, pattern="a"))
    assert (output["files_searched"], output["files_skipped"]) == (0, 1)
