"""Prefer, as RFC 7240 has it."""

import pytest

from common.web.prefer import preferred_wait


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ([], None),
        ([""], None),
        (["wait=10"], 10),
        (["Wait = 10"], 10),
        (['wait="10"'], 10),
        (["respond-async, wait=10"], 10),
        (["return=minimal; x=y, wait=10; z"], 10),
        (["respond-async", "wait=10"], 10),
        (["wait=1", "wait=2"], 1),
        (["wait=soon, wait=2"], None),
        (["wait"], None),
        (["wait=-1"], None),
        (["wait=1e3"], None),
        (["wait=²"], None),
        (["no-wait=5"], None),
        (['x="a, wait=5"'], None),
        (['x="a, wait=5'], None),
        (["x-wait=5;wait=5"], None),
        (["wait=" + "9" * 60_000], float("inf")),
    ],
)
def test_the_first_wait_of_all_prefer_lines_counts(lines, seconds):
    """What is not understood is ignored; only the first line was looked at, by a search in it."""
    assert preferred_wait(lines) == seconds
