"""What the event loop does by itself, and what may hold up others there: that goes to a thread."""

import asyncio
from collections.abc import Callable, Collection, Sized
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
SMALL = 16 * 1024
"""Characters, and eight for each value, of what is sooner done than a thread is ready for it."""
_EACH = 8
_PLAIN = (str, bytes, int, float)


def is_small(*values: object) -> bool:
    """Tell whether values are little to work on; of what is not, no more is looked at than of what is."""
    left, room = list(values), SMALL
    while left:
        value = left.pop()
        room -= _size(value)
        if room < 0:
            return False
        left.extend(_inside(value))
    return True


def _size(value: object) -> int:
    """Return what a value counts by itself, before what it holds is looked at."""
    if isinstance(value, str | bytes):
        return len(value)
    return _EACH * (1 + len(value)) if isinstance(value, Sized) else _EACH


def _inside(value: object) -> Collection[object]:
    """Return what a value holds: a list's items, an object's keys and values, a model's fields."""
    if value is None or isinstance(value, _PLAIN):
        return ()
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, dict):
        return (*value, *value.values())
    fields: dict[str, object] = getattr(value, "__dict__", {})
    return fields.values()


async def off_loop(is_little: bool, work: Callable[P, T], *given: P.args, **more: P.kwargs) -> T:
    """Return what work gives, which is done here and now where it is little, else in a thread."""
    if is_little:
        return work(*given, **more)
    return await asyncio.to_thread(work, *given, **more)
