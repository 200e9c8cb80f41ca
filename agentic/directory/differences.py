"""Where a workspace differs, as its server tells it: nothing is believed before it was checked.

A server may be hostile or broken. What is true of no workspace is refused as a whole, for a push
and a status just as for a pull: what one of them shows the others have to be able to take.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Container

from agentic.directory.faults import distrust
from agentic.directory.names import plain
from common.files.archives import Difference, DifferenceCount

MAX_DIFFERENCES = 500_000
MAX_PATHS = 128 * 1024 * 1024
"""Differences that are taken, and characters of their paths, each times its components: the
directories above a path are looked at as well."""


async def read_differences(
    lines: AsyncIterator[Difference | DifferenceCount],
    asked: Container[str],
    take: Callable[[str, Difference], None],
) -> str | None:
    """Hand on each path that differs from those that were asked about; return the generation.

    Raises `upstream_failed` for a path twice, for `new` of what was asked about, for other counts
    than those of the lines, and for more than is taken.
    """
    told: set[str] = set()
    states: Counter[str] = Counter()
    room = MAX_PATHS
    async for line in lines:
        if isinstance(line, DifferenceCount):
            _require_counted(states, line)
            return line.generation
        room -= len(line.path) * (1 + line.path.count("/"))
        if len(told) == MAX_DIFFERENCES or room < 0:
            raise distrust(f"it names more than {MAX_DIFFERENCES} differences, or too long paths")
        states[line.state] += 1
        take(_new_path(line, asked, told), line)
    raise distrust("it ends before it is complete")


def _new_path(line: Difference, asked: Container[str], told: set[str]) -> str:
    path = plain(line.path)
    if path in told:
        raise distrust(f"it names '{path}' twice")
    if (line.state == "new") == (path in asked):
        raise distrust(f"it says that '{path}' is {line.state}, against what it was asked")
    told.add(path)
    return path


def _require_counted(states: Counter[str], count: DifferenceCount) -> None:
    if any(states[state] != getattr(count, state) for state in ("new", "changed", "gone")):
        raise distrust("it counts other differences than it names")
