"""Rounds: the ways take turns, and a figure is what they took."""

import pytest

from bench.rounds import Figure, at_once, joined, one_by_one


def test_a_figure_tells_its_middle_and_the_half_around_it():
    """One slow round says nothing of the way."""
    figure = Figure("read", "ms", [1, 2, 3, 4, 100])
    assert (figure.median, figure.spread) == (3, (2, 4))
    assert Figure("read", "ms", [7]).spread == (7, 7)


def test_a_ratio_is_of_times_also_where_rates_were_measured():
    """So that more is worse in every row of a table."""
    assert Figure("a", "ms", [2, 6]).over(Figure("b", "ms", [1, 2])).rounds == [2, 3]
    assert Figure("a", "/s", [100, 50]).over(Figure("b", "/s", [200, 200])).rounds == [2, 4]


def test_a_ratio_takes_rounds_of_the_same_number():
    """What was not measured side by side is not compared."""
    with pytest.raises(ValueError, match="shorter"):
        Figure("a", "ms", [1, 2]).over(Figure("b", "ms", [1]))


def test_figures_are_joined_in_order():
    """As what several turns have measured."""
    assert joined([Figure("a", "ms", [1, 2]), Figure("a", "ms", [3])]) == Figure(
        "a", "ms", [1, 2, 3]
    )


async def test_ways_take_turns_and_the_first_round_is_not_counted():
    """A machine that slows down slows all of them; what is cold is no figure."""
    asked = []

    def way(name):
        async def request():
            asked.append(name)

        return request

    figures = await one_by_one({"a": way("a"), "b": way("b")}, rounds=2, each=2)
    assert asked == ["a", "a", "b", "b"] * 3
    assert [len(figure.rounds) for figure in figures.values()] == [2, 2]


async def test_callers_are_counted_together():
    """Each of them asks for something of its own."""
    asked = []

    def requests(caller):
        async def request():
            asked.append(caller)

        return request

    figures = await at_once({"a": requests}, rounds=1, each=3, callers=2)
    assert sorted(asked) == [0] * 6 + [1] * 6
    assert figures["a"].is_rate
