"""JSON as RFC 8259 means it: no duplicate keys, no NaN, no lone surrogates, UTF-8 only."""

import json
from typing import Any, NoReturn

from common.errors import ClientError

MAX_DEPTH = 64


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is out of range")
    return number


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


def loads(body: bytes) -> Any:
    """Parse a request body.

    Raises ClientError `malformed_request` for anything that two parsers could read differently,
    and for nesting deeper than MAX_DEPTH.
    """
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        if b"\\u" in body:  # only an escape can smuggle in half a surrogate pair
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise ClientError("malformed_request", "The body is not valid Unicode text") from error
    except ValueError as error:
        raise ClientError("malformed_request", f"The body is not valid JSON: {error}") from error
    except RecursionError as error:
        raise ClientError("malformed_request", "The body is nested too deeply") from error
    if isinstance(value, (dict, list)) and _depth(value) > MAX_DEPTH:
        raise ClientError("malformed_request", f"The body is nested deeper than {MAX_DEPTH}")
    return value
