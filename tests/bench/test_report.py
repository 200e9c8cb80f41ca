"""What the bench tells: the bars are judged as they are meant, in print and in JSON."""

import json

import pytest
from rich.console import Console
from rich.table import Table

from bench.report import Bar, Line, Report, printed, told
from bench.rounds import Figure


def text_of(report):
    """Return what is printed."""
    console = Console(width=140)
    with console.capture() as shown:
        console.print(printed(report))
    return shown.get()


@pytest.mark.parametrize(
    ("unit", "rounds", "bar", "is_met"),
    [
        ("ms", [8.0], Bar(8), True),
        ("ms", [8.1], Bar(8), False),
        ("/s", [200.0], Bar(200), True),
        ("/s", [199.0], Bar(200), False),
        ("ms", [4.0], Bar(2, is_of_floor=True), True),
        ("ms", [4.1], Bar(2, is_of_floor=True), False),
        ("/s", [1.0], Bar(2, is_of_floor=True), True),
        ("/s", [0.9], Bar(2, is_of_floor=True), False),
    ],
)
def test_a_bar_is_the_most_of_a_time_and_the_least_of_a_rate(unit, rounds, bar, is_met):
    """And the most of a ratio, whichever it is of."""
    assert Line(Figure("a", unit, rounds), Figure("floor", unit, [2.0]), bar).is_met is is_met


def test_what_has_no_bar_is_not_judged():
    """Most figures are only told."""
    assert Line(Figure("a", "ms", [1.0])).is_met is None


def test_a_row_has_median_spread_ratio_and_bar():
    """All that is needed to judge a figure is in its row."""
    line = Line(Figure("a run", "ms", [5, 6, 7]), Figure("floor", "ms", [1, 2, 1]), Bar(6.5))
    [row] = [
        line for line in text_of(Report("runs", [line], "A note.")).splitlines() if "6.5" in line
    ]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["a run", "6 ms", "5.5 … 6.5", "5 times", "4 … 6", "≤ 6.5 ms", "yes"]


def test_a_figure_of_one_round_has_no_spread():
    """There is nothing to tell of how much it varies."""
    text = text_of(Report("runs", [Line(Figure("a", "/s", [1234.5]), bar=Bar(2000))]))
    assert "1,234 /s" in text
    assert "≥ 2000 /s" in text
    assert "no" in text
    assert "…" not in text


def test_json_keeps_every_round():
    """What compares two runs of the bench needs them."""
    line = Line(Figure("a", "ms", [5, 6, 7]), Figure("floor", "ms", [1, 2, 1]), Bar(2, True))
    [figure] = json.loads(json.dumps(told(Report("runs", [line]))))["figures"]
    assert (figure["name"], figure["rounds"], figure["floor"]) == ("a", [5, 6, 7], "floor")
    assert (figure["ratio"]["median"], figure["is_met"]) == (5, False)


def test_a_table_of_another_kind_is_told_by_its_cells():
    """Not every part has figures of rounds."""
    table = Table(title="followers")
    table.add_column("what")
    table.add_row("a stream")
    assert printed(table) is table
    assert told(table)["cells"] == {"what": ["a stream"]}
