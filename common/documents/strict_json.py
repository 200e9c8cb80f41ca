"""JSON as RFC 8259 means it: no duplicate keys, no NaN, no lone surrogates, UTF-8 only."""

from collections.abc import Collection
from math import isinf
from typing import Any

from pydantic_core import from_json

from common.errors import ClientError

MAX_DEPTH = 64
MAX_VALUES = 100_000
"""Values in one document, as their commas and brackets count them: a value of three bytes becomes
one of a hundred."""

_EMPTY = [None]
"""What stands below a container that holds nothing, so that it counts as a level."""


def count_values(body: bytes, most: int) -> int:
    """Return how many values a document has, before they are made; beyond `most` about how many."""
    return _counts(body, most)[0]


def loads(body: bytes, name: str = "The body") -> Any:
    """Parse what a client sent; `name` says in errors what it is.

    Raises ClientError `malformed_request` for anything that two parsers could read differently,
    and for nesting deeper than MAX_DEPTH; `request_too_large` for more than MAX_VALUES.
    """
    values, keys = _counts(body, MAX_VALUES)
    if values > MAX_VALUES:
        raise ClientError(
            "request_too_large", f"{name} has too many values", limit=MAX_VALUES, actual=values
        )
    try:
        value = from_json(body, allow_inf_nan=False)
        depth = _depth(value, keys)
    except ValueError as error:
        raise ClientError(
            "malformed_request", f"{name} is not valid JSON: {_why(body, error)}"
        ) from error
    if depth > MAX_DEPTH:
        raise ClientError("malformed_request", f"{name} is nested deeper than {MAX_DEPTH}")
    return value


def _why(body: bytes, error: ValueError) -> str:
    """Say what is wrong with a document; where it is no text the parser tells of a missing value."""
    try:
        body.decode()
    except UnicodeDecodeError as problem:
        return f"it is not valid Unicode at byte {problem.start}"
    return str(error)


def _counts(body: bytes, most: int) -> tuple[int, int]:
    """Return how many values and how many keys a document has; beyond `most` values, about.

    What is not within a string has to be structure. This agrees with the parser about strings up to
    the first error, and there the parser stops.
    """
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    strings = plain.count(b'"') // 2
    if strings > 2 * most:  # half of them may be keys
        return strings, 0
    outside = b"".join(plain.split(b'"')[::2])
    return sum(map(outside.count, (b",", b"[", b"{"))), outside.count(b":")


def _depth(value: Any, keys: int) -> int:
    """Return how deep a value is nested.

    Raises ValueError for a number out of range, and where it has fewer than these `keys`: of two that are
    the same the parser keeps one.
    """
    level, depth, kept = [value], -1, 0
    while level:
        depth += 1
        below: list[Any] = []
        for node in level:
            if isinstance(node, (dict, list)):
                kept += len(node) if isinstance(node, dict) else 0
                below += _children(node)
            elif isinstance(node, (int, float)):
                _require_in_range(node)
        level = below
    if kept < keys:
        raise ValueError("an object has a duplicate key")
    return depth


def _children(node: dict[str, Any] | list[Any]) -> Collection[Any]:
    return (node.values() if isinstance(node, dict) else node) or _EMPTY


def _require_in_range(number: float) -> None:
    """Raise ValueError for what most parsers, which have nothing but doubles, take for infinite."""
    try:
        is_in_range = not isinf(number)
    except OverflowError:
        is_in_range = False
    if not is_in_range:
        raise ValueError("a number is out of range")
