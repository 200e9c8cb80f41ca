"""Growth: what the slope of measured costs is called."""

import pytest
from rich.console import Console

from bench.scaling import curve as curves
from bench.scaling.curve import Curve, curve_of

SIZES = [100, 200, 400, 800, 1600]


@pytest.mark.parametrize(
    ("costs", "slope", "verdict"),
    [
        ([3.0] * 5, 0, "flat"),
        ([3.1, 2.9, 3.0, 3.1, 2.9], 0, "flat"),
        ([1, 2, 4, 8, 16], 1, "linear"),
        ([5 + size / 100 for size in SIZES], 0.45, "linear"),
        ([1, 4, 16, 64, 256], 2, "worse"),
    ],
)
def test_a_slope_is_called_by_what_a_doubling_costs(costs, slope, verdict):
    """A constant part of a cost lowers its slope, and hides no growth."""
    curve = Curve("a read", SIZES, costs)
    assert curve.slope == pytest.approx(slope, abs=0.05)
    assert curve.verdict == verdict


async def test_sizes_are_measured_in_turn():
    """A machine that slows down makes no slope."""
    asked = []

    def request(size):
        async def ask():
            asked.append(size)

        return ask

    curve = await curve_of("a read", {1: request(1), 2: request(2)}, rounds=1, each=2)
    assert asked == [1, 1, 2, 2] * 2
    assert (curve.sizes, len(curve.costs)) == ([1, 2], 2)


def test_the_table_has_both_ends_and_the_verdict():
    """What is called linear can be read off."""
    console = Console(width=140)
    with console.capture() as shown:
        console.print(curves.table([Curve("a read", SIZES, [1, 2, 4, 8, 16])]))
    [row] = [line for line in shown.get().splitlines() if "a read" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["a read", "100", "1,600", "1", "16", "2.00 times", "linear"]
