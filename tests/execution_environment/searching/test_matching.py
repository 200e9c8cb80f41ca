"""Where occurrences are, and which of them are shown."""

import random

import pytest

from execution_environment.searching.worker import serve
from tests.execution_environment.searching.conftest import file_of, request


@pytest.mark.parametrize("seed", range(20))
def test_lines_and_columns_of_occurrences_are_those_of_a_naive_count(seed):
    """They are counted on from occurrence to occurrence."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    text = "".join(chance.choices("aä\nb", k=chance.randint(0, 60)))
    answer = serve(request("a", context=2, limit=100), [file_of(text.encode())])
    lines = text.split("\n")
    expected = [
        (n, column, line, lines[max(n - 3, 0) : n - 1], lines[n : n + 2])
        for n, line in enumerate(lines, start=1)
        for column, char in enumerate(line, start=1)
        if char == "a"
    ]
    [item] = answer["files"]
    shown = [
        (place["line"], place["column"], place["text"], place["before"], place["after"])
        for place in item["shown"]
    ]
    assert (item["total"], shown) == (len(expected), expected)
