"""A pattern that RE2 takes a minute for: what it may remember is too little, so it starts again."""

import random

SLOW = "|".join(f"a[ab]{{{count}}}c" for count in range(960, 983))
"""About 340 characters."""


def slow_text(size: int = 300_000) -> bytes:
    """Return a text that makes the pattern slow."""
    return bytes(random.Random(1).choices(b"ab", k=size))  # noqa: S311  # the same each time
