"""Hunks of unified diffs, of bounded work: only what differs is taken apart, with a budget."""

import difflib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence

MAX_LINES = 4000
MAX_SIZE = 64 * 1024
"""Lines and characters of what is compared: a diff is kept with its call's result."""
MAX_STEPS = 2_000_000
"""Pairs of equal lines that are looked at: difflib's work may grow with the cube of the lines."""
CONTEXT = 3
"""Lines that a diff shows around a change."""
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_NO_NEWLINE = "\n\\ No newline at end of file\n"


class TooLong(Exception):
    """The texts are longer, or more alike in too many ways, than is compared."""


def hunks(old: str, new: str) -> str:
    """Return the hunks that lead from one text to another, none where they are the same."""
    start, end = _differing(old, new)
    if len(old) + len(new) - 2 * (start + end) > MAX_SIZE:
        raise TooLong
    old_lines, new_lines = (_LINE.findall(text, start, len(text) - end) for text in (old, new))
    if len(old_lines) + len(new_lines) > MAX_LINES:
        raise TooLong
    return "".join(_hunks(old_lines, new_lines, old.count("\n", 0, start)))


class _Matcher(difflib.SequenceMatcher[str]):
    """A matcher that gives up when its budget is used up."""

    b2j: dict[str, list[int]]
    """Where each line stands in the new text, without those that stand everywhere."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new)
        pairs = (1 + len(self.b2j.get(line, ())) for line in old)
        self._pairs = [0, *itertools.accumulate(pairs)]
        self._left = MAX_STEPS

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> difflib.Match:
        """Count what this takes, then do it."""
        self._left -= self._pairs[-1 if ahi is None else ahi] - self._pairs[alo]
        if self._left < 0:
            raise TooLong
        return super().find_longest_match(alo, ahi, blo, bhi)


def _hunks(old: Sequence[str], new: Sequence[str], first: int) -> Iterator[str]:
    """Yield the lines of the hunks; `first` lines, which are the same, stand before both."""
    for group in _Matcher(old, new).get_grouped_opcodes(CONTEXT):
        (_, old_start, _, new_start, _), (_, _, old_stop, _, new_stop) = group[0], group[-1]
        yield f"@@ -{_range(old_start, old_stop, first)} +{_range(new_start, new_stop, first)} @@\n"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from _marked(" ", old[i1:i2])
            else:
                yield from _marked("-", old[i1:i2])
                yield from _marked("+", new[j1:j2])


def _range(start: int, stop: int, first: int) -> str:
    """Return a range as heads of hunks have it: an empty one begins at the line before it."""
    length = stop - start
    begin = first + start + (1 if length else 0)
    return f"{begin}" if length == 1 else f"{begin},{length}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}{_NO_NEWLINE}"


def _differing(old: str, new: str) -> tuple[int, int]:
    """Return how many characters need no comparing at the start and at the end: whole lines.

    Those that the diff shows around the change are left.
    """
    most = min(len(old), len(new))
    start = _shared(most, lambda low, high: old[low:high] == new[low:high])
    end = _shared(
        most - start,
        lambda low, high: old[len(old) - high : len(old) - low]
        == new[len(new) - high : len(new) - low],
    )
    start = old.rfind("\n", 0, start) + 1
    for _ in range(CONTEXT):
        start = old.rfind("\n", 0, max(start - 1, 0)) + 1
    is_line = all(text[len(text) - end - 1 : len(text) - end] in ("\n", "") for text in (old, new))
    for _ in range(CONTEXT if is_line else CONTEXT + 1):
        end = len(old) - (old.find("\n", len(old) - end) + 1 or len(old))
    return start, end


def _shared(most: int, is_same: Callable[[int, int], bool]) -> int:
    """Return up to where two texts are the same, by halves: none is compared twice."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if is_same(low, middle):
            low = middle
        else:
            high = middle - 1
    return low
