"""Rounds: every way is measured in turn, so that what a machine does meanwhile falls on all of them.

A figure is what a way took in each round; its ratio is to another way of the same round.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

Request = Callable[[], Awaitable[None]]
Measure = Callable[[], Awaitable[float]]
"""Measures once."""
Requests = Callable[[int], Request]
"""Returns what one of several callers asks for, by its number."""


@dataclass(frozen=True)
class Figure:
    """What was measured, once in each round: milliseconds, say, or how many a second (`/s`)."""

    name: str
    unit: str
    rounds: list[float]

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.unit == "/s"

    @property
    def median(self) -> float:
        """The round in the middle."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """The rounds below and above which a quarter of them lies."""
        if len(self.rounds) == 1:
            return self.rounds[0], self.rounds[0]
        below, _, above = statistics.quantiles(self.rounds, n=4, method="inclusive")
        return below, above

    def over(self, floor: "Figure") -> "Figure":
        """Return how many times another figure's time this one takes, round by round."""
        pairs = zip(self.rounds, floor.rounds, strict=True)
        if self.is_rate:
            pairs = zip(floor.rounds, self.rounds, strict=True)
        return Figure(f"{self.name} / {floor.name}", "times", [one / other for one, other in pairs])


def joined(figures: Sequence[Figure]) -> Figure:
    """Return the rounds of several figures of one name as one figure."""
    first = figures[0]
    return Figure(first.name, first.unit, [one for figure in figures for one in figure.rounds])


async def in_turn(ways: Mapping[str, Measure], rounds: int, unit: str = "ms") -> dict[str, Figure]:
    """Have each way measured once in each round. A first round warms up, and is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, measure in ways.items():
            value = await measure()
            if number > 0:
                taken[name].append(value)
    return {name: Figure(name, unit, found) for name, found in taken.items()}


async def one_by_one(ways: Mapping[str, Request], rounds: int, each: int) -> dict[str, Figure]:
    """Time requests one after the other: the median of each round, in ms."""

    def measuring(request: Request) -> Measure:
        async def middle() -> float:
            return statistics.median([await timed(request) for _ in range(each)])

        return middle

    return await in_turn({name: measuring(one) for name, one in ways.items()}, rounds)


async def at_once(
    ways: Mapping[str, Requests], rounds: int, each: int, callers: int
) -> dict[str, Figure]:
    """Count requests of so many callers at once, `each` of each: how many a second, in each round."""

    def measuring(requests: Requests) -> Measure:
        async def rate() -> float:
            started = time.perf_counter()
            await asyncio.gather(*(_repeated(requests(caller), each) for caller in range(callers)))
            return callers * each / (time.perf_counter() - started)

        return rate

    return await in_turn({name: measuring(one) for name, one in ways.items()}, rounds, "/s")


async def timed(request: Request) -> float:
    """Return the milliseconds that a request takes."""
    started = time.perf_counter()
    await request()
    return (time.perf_counter() - started) * 1000


async def _repeated(request: Request, times: int) -> None:
    for _ in range(times):
        await request()
