"""How a cost grows with a size: the slope over some doublings, and what that is called."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from bench.rounds import Request, one_by_one

FLAT, LINEAR = 0.1, 1.1
"""Slopes up to which a cost is called so: a doubling adds 7 % at most, or doubles it, but for the noise."""
COLUMNS = ("what, with so many", "from", "to", "ms, from", "ms, to", "a doubling costs", "so it is")


@dataclass(frozen=True)
class Curve:
    """Costs in milliseconds at some sizes, each twice the one before."""

    what: str
    sizes: Sequence[int]
    costs: Sequence[float]

    @property
    def slope(self) -> float:
        """The exponent: 0 where the size does not matter, 1 where twice the size costs twice as much.

        Of the line of least squares through the logarithms. A cost with a constant part, which every
        request has, comes out below 1 where it grows in proportion.
        """
        across, up = map(math.log2, self.sizes), map(math.log2, self.costs)
        return statistics.linear_regression(list(across), list(up)).slope

    @property
    def verdict(self) -> str:
        """What the slope says: `flat`, `linear` at most, or `worse`."""
        if self.slope <= FLAT:
            return "flat"
        return "linear" if self.slope <= LINEAR else "worse"


async def curve_of(what: str, requests: Mapping[int, Request], rounds: int, each: int) -> Curve:
    """Measure requests at several sizes, in turn."""
    ways = {str(size): request for size, request in requests.items()}
    figures = (await one_by_one(ways, rounds, each)).values()
    return Curve(what, list(requests), [figure.median for figure in figures])


def table(curves: Sequence[Curve]) -> Table:
    """Return the curves, each with its slope and what that is called."""
    shown = Table(title="costs against sizes", caption="linear: at most, over these sizes")
    for column in COLUMNS:
        shown.add_column(column, justify="left" if column in (COLUMNS[0], COLUMNS[-1]) else "right")
    for curve in curves:
        sizes, costs = [f"{curve.sizes[end]:,}" for end in (0, -1)], curve.costs
        grown = f"{2**curve.slope:.2f} times"
        shown.add_row(
            curve.what, *sizes, f"{costs[0]:.3g}", f"{costs[-1]:.3g}", grown, curve.verdict
        )
    return shown
