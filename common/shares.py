"""Who holds how many of a number of places, so that nobody can hold all of them."""

from collections import Counter


class Shares:
    """Nobody gets more than `ratio` times the places that are left free: the next one finds some.

    Not safe for threads by itself: its owner takes care of that.
    """

    def __init__(self, size: int, ratio: float = 1) -> None:
        self._free = size
        self._ratio = ratio
        self._held: Counter[str] = Counter()

    def take(self, user: str) -> bool:
        """Take a place; return whether there was one for this user."""
        if self._held[user] >= self._ratio * self._free:
            return False
        self._held[user] += 1
        self._free -= 1
        return True

    def give(self, user: str) -> None:
        """Give a place back."""
        self._free += 1
        self._held[user] -= 1
        if self._held[user] == 0:
            del self._held[user]
