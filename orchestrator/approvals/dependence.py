"""Which calls of a turn are about what an earlier one of it changes."""

from collections.abc import Iterable, Iterator

from common.files.paths import Parts
from orchestrator.approvals.paths import Touched


class EarlierChanges:
    """The changes of a turn so far; a turn may hold a thousand, and each is asked about all before it."""

    def __init__(self) -> None:
        self._at: dict[Parts, int] = {}
        self._trees: dict[Parts, int] = {}
        self._within: dict[Parts, int] = {}

    def add(self, n: int, touched: Iterable[Touched]) -> None:
        """Note what call `n` changes; numbers come in order."""
        for parts, is_tree in touched:
            self._at[parts] = n
            if is_tree:
                self._trees[parts] = n
            for above in _above(parts):
                self._within[above] = n

    def last_about(self, touched: Iterable[Touched]) -> int | None:
        """Return the number of the last call that overlaps: at a path, in its tree, or around it."""
        found = [n for one in touched for n in self._about(one)]
        return max(found, default=None)

    def _about(self, touched: Touched) -> Iterator[int]:
        parts = touched.parts
        yield from (self._trees[above] for above in (parts, *_above(parts)) if above in self._trees)
        if parts in self._at:
            yield self._at[parts]
        if touched.is_tree and parts in self._within:
            yield self._within[parts]


def _above(parts: Parts) -> Iterator[Parts]:
    return (parts[:depth] for depth in range(len(parts)))
