"""Two revisions beside each other: figures are found by their names, and the turns are joined."""

from rich.console import Console

from bench.compare import compared, figures_in
from bench.report import Line, Report, told
from bench.rounds import Figure


def found(*rounds, unit="ms"):
    """Return what a turn finds, by way of the JSON that it keeps."""
    report = told(Report("1 KB", [Line(Figure("read", unit, list(rounds)))]))
    tables = {"title": "a table", "cells": {"what": ["x"]}, "note": ""}
    return figures_in({"parts": {"calls": [report], "followers": [tables]}})


def row_of(table):
    """Return the cells of the figure's row."""
    console = Console(width=140)
    with console.capture() as shown:
        console.print(table)
    [row] = [line for line in shown.get().splitlines() if "  read" in line]
    return [cell.strip() for cell in row.strip("│").split("│")]


def test_figures_come_out_of_the_json_as_they_went_in():
    """And what is a table of another kind has none."""
    assert found(1, 2) == {("calls: 1 KB", "read"): Figure("read", "ms", [1, 2])}


def test_turns_are_joined_and_a_ratio_is_of_the_same_turns():
    """So that what the machine did in one of them falls on both."""
    table = compared([found(2, 4), found(60)], [found(1, 2), found(30)], "main")
    assert row_of(table) == ["read", "2 ms", "4 ms", "2 times", "2 … 2"]


def test_a_rate_that_has_doubled_takes_half_the_time():
    """A ratio reads alike in every row."""
    assert (
        row_of(compared([found(20, unit="/s")], [found(10, unit="/s")], "main"))[3] == "0.5 times"
    )
