"""JSON as RFC 8259 means it: no duplicate keys, no NaN, no lone surrogates, UTF-8 only."""

import json
from math import isinf
from typing import Any, NoReturn

from common.errors import ClientError

MAX_DEPTH = 64
MAX_VALUES = 100_000
"""Values in one document, as their commas and brackets count them: a value of three bytes becomes
one of a hundred."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError("a number is out of range")
    return number


def _whole(text: str) -> int:
    # most parsers have nothing but doubles, and here long ones take the square of their digits
    _finite(text)
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("an object has a duplicate key")
    return unique


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
    return depth


def count_values(body: bytes, most: int) -> int:
    """Return how many values a document has, before they are made; beyond `most` about how many.

    What is not within a string has to be structure. This agrees with the parser about strings up to
    the first error, and there the parser stops.
    """
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    strings = plain.count(b'"') // 2
    if strings > 2 * most:  # half of them may be keys
        return strings
    outside = b"".join(plain.split(b'"')[::2])
    return sum(map(outside.count, (b",", b"[", b"{")))


def _require_few(body: bytes, name: str) -> None:
    """Raise `request_too_large` before anything is made of too many values."""
    values = count_values(body, MAX_VALUES)
    if values > MAX_VALUES:
        raise ClientError(
            "request_too_large", f"{name} has too many values", limit=MAX_VALUES, actual=values
        )


def loads(body: bytes, name: str = "The body") -> Any:
    """Parse what a client sent; `name` says in errors what it is.

    Raises ClientError `malformed_request` for anything that two parsers could read differently,
    and for nesting deeper than MAX_DEPTH; `request_too_large` for more than MAX_VALUES.
    """
    _require_few(body, name)
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
        if b"\\u" in body:  # only an escape can smuggle in half a surrogate pair
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise ClientError("malformed_request", f"{name} is not valid Unicode text") from error
    except ValueError as error:
        raise ClientError("malformed_request", f"{name} is not valid JSON: {error}") from error
    except RecursionError as error:
        raise ClientError("malformed_request", f"{name} is nested too deeply") from error
    if isinstance(value, (dict, list)) and _depth(value) > MAX_DEPTH:
        raise ClientError("malformed_request", f"{name} is nested deeper than {MAX_DEPTH}")
    return value
