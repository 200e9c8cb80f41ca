"""What a part of the bench tells: its figures beside their floors and bars, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from bench.rounds import Figure

COLUMNS = ("what", "median", "half of the rounds", "of its floor", "half of them", "bar", "met")


@dataclass(frozen=True)
class Bar:
    """What a median has to keep: at most so many ms, at least so many a second; or so many times its floor."""

    limit: float
    is_of_floor: bool = False


@dataclass(frozen=True)
class Line:
    """A figure, its floor if it has one, and its bar if there is one."""

    figure: Figure
    floor: Figure | None = None
    bar: Bar | None = None

    @property
    def ratio(self) -> Figure | None:
        """How many times the floor's time it takes."""
        return None if self.floor is None else self.figure.over(self.floor)

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is kept; None where there is none."""
        if self.bar is None:
            return None
        judged = self.ratio if self.bar.is_of_floor else self.figure
        assert judged is not None, f"{self.figure.name} has a bar of a floor, and no floor"
        is_low = judged.median <= self.bar.limit
        return judged.median >= self.bar.limit if judged.is_rate else is_low


@dataclass(frozen=True)
class Report:
    """What a part has measured; the note is what a reader has to know of it."""

    title: str
    lines: Sequence[Line]
    note: str = ""


def printed(report: Report | Table) -> Table:
    """Return the report to print; a table of another kind is one already."""
    if isinstance(report, Table):
        return report
    shown = Table(title=report.title, caption=report.note or None)
    for column in COLUMNS:
        shown.add_column(column, justify="left" if column in ("what", "met") else "right")
    for line in report.lines:
        shown.add_row(line.figure.name, *printed_value(line.figure), *_ratio(line), *_judged(line))
    return shown


def told(report: Report | Table) -> dict[str, Any]:
    """Return the report for JSON; of a table of another kind its cells."""
    if isinstance(report, Table):
        cells = {str(column.header): list(map(str, column.cells)) for column in report.columns}
        return {"title": str(report.title or ""), "cells": cells, "note": str(report.caption or "")}
    lines = [_told(line) for line in report.lines]
    return {"title": report.title, "figures": lines, "note": report.note}


def printed_value(figure: Figure) -> tuple[str, str]:
    """Return the median with its unit, and the spread; of one round there is none."""
    below, above = figure.spread
    spread = f"{_number(below)} … {_number(above)}" if len(figure.rounds) > 1 else ""
    return f"{_number(figure.median)} {figure.unit}".rstrip(), spread


def _ratio(line: Line) -> tuple[str, str]:
    return ("", "") if line.ratio is None else printed_value(line.ratio)


def _judged(line: Line) -> tuple[str, str]:
    if line.bar is None:
        return "", ""
    limit = f"{line.bar.limit:g}"
    if line.bar.is_of_floor:
        bar = f"≤ {limit} times"
    else:
        bar = f"{'≥' if line.figure.is_rate else '≤'} {limit} {line.figure.unit}"
    return bar, "yes" if line.is_met else "no"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _told(line: Line) -> dict[str, Any]:
    figure, ratio, bar = line.figure, line.ratio, line.bar
    return {
        "name": figure.name,
        **_values(figure),
        "floor": None if line.floor is None else line.floor.name,
        "ratio": None if ratio is None else _values(ratio),
        "bar": None if bar is None else {"limit": bar.limit, "is_of_floor": bar.is_of_floor},
        "is_met": line.is_met,
    }


def _values(figure: Figure) -> dict[str, Any]:
    return {
        "unit": figure.unit,
        "median": figure.median,
        "spread": figure.spread,
        "rounds": figure.rounds,
    }
