"""References in a plan: `{"$from": "step/output/…"}` and `{"$join": [text, reference, …]}`.

The first token of `$from` names an earlier step, the next one of its fields (`output`, `receipts`,
`status` or `error`), the rest is a JSON Pointer into it (RFC 6901: `~1` for `/`, `~0` for `~`).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from common.errors import ToolError
from common.runs import Step

FROM = "$from"
JOIN = "$join"
FIELDS = ("output", "receipts", "status", "error")
SHOWN_KEYS = 10


def resolve(value: JsonValue, steps: Mapping[str, Step]) -> JsonValue:
    """Return the value with every reference replaced; raise `invalid_reference`."""
    if isinstance(value, list):
        return [resolve(item, steps) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {FROM}:
        return _look_up(_pointer(value[FROM]), steps)
    if set(value) == {JOIN}:
        return "".join(_text(resolve(part, steps)) for part in _parts(value[JOIN]))
    return {key: resolve(item, steps) for key, item in value.items()}


def named_steps(value: JsonValue) -> set[str]:
    """Return the names of the steps that a value refers to."""
    found = (pointer for _, pointer in pointers(value, ""))
    return {pointer.split("/", 1)[0] for pointer in found if isinstance(pointer, str)}


def pointers(value: JsonValue, where: str) -> Iterator[tuple[str, JsonValue]]:
    """Yield every reference in a value with the place it stands at."""
    if isinstance(value, dict):
        if set(value) == {FROM}:
            yield where, value[FROM]
            return
        for key, item in value.items():
            yield from pointers(item, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from pointers(item, f"{where}.{index}")


def _pointer(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise ToolError("invalid_reference", "$from takes a string such as 'find/output/total'")
    return value


def _parts(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise ToolError("invalid_reference", "$join takes a list of texts and references")
    return value


def _look_up(pointer: str, steps: Mapping[str, Step]) -> JsonValue:
    name, *tokens = pointer.split("/")
    if name not in steps:
        raise _missing(pointer, f"no earlier step is named '{name}'", list(steps))
    fields = steps[name].model_dump(mode="json", include=set(FIELDS))
    value: Any = fields
    for token in tokens:
        value = _step_into(value, token.replace("~1", "/").replace("~0", "~"), pointer)
    return value if tokens else fields


def _step_into(value: Any, token: str, pointer: str) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list):
        if token in map(str, range(len(value))):  # RFC 6901: an index has no leading zeros
            return value[int(token)]
        raise _missing(pointer, f"there is no item '{token}' among {len(value)}", [])
    keys = list(value) if isinstance(value, dict) else []
    raise _missing(pointer, f"there is no '{token}'", keys)


def _missing(pointer: str, reason: str, there: list[str]) -> ToolError:
    names = ", ".join(repr(name) for name in there[:SHOWN_KEYS])
    return ToolError(
        "invalid_reference",
        f"'{pointer}' points at nothing: {reason}",
        hint=f"There is {names}." if names else None,
    )


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
