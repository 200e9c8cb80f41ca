"""References in a plan: `{"$from": "step/output/…"}` and `{"$join": [text, reference, …]}`.

The first token of `$from` names an earlier step, the next one of its fields (`output`, `receipts`,
`status` or `error`), the rest is a JSON Pointer into it (RFC 6901: `~1` for `/`, `~0` for `~`).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any

from pydantic import JsonValue

from common.documents.strict_json import MAX_DEPTH
from common.errors import ToolError
from common.runs import Step

FROM = "$from"
JOIN = "$join"
FIELDS = ("output", "receipts", "status", "error")
SHOWN_KEYS = 10
SHOWN = 200
"""Characters of a pointer, or of a key, that an error repeats."""
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
"""RFC 6901: an index has no leading zeros."""
Place = tuple[str | int, ...]


def resolve_arguments(
    arguments: Mapping[str, JsonValue], steps: Mapping[str, Step], max_bytes: int
) -> dict[str, JsonValue]:
    """Return arguments with every reference replaced by what it points at in `steps`.

    Raises `invalid_reference`, or `output_too_large` as soon as what is being built is longer than
    `max_bytes` as compact JSON. Takes as long as that is: large ones belong in a thread.
    """
    resolution = _Resolution(steps, max_bytes)
    resolution.add(_frame(arguments))
    return {key: resolution.item(key, value, 1) for key, value in arguments.items()}


class _Resolution:
    """Counts what it builds, before it is built: references may double it at each step."""

    def __init__(self, steps: Mapping[str, Step], max_bytes: int) -> None:
        self._steps = steps
        self._max_bytes = max_bytes
        self._bytes = 0
        self._dumped: dict[str, dict[str, Any]] = {}

    def add(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._max_bytes:
            raise ToolError(
                "output_too_large",
                "What the references in the arguments come to is too large",
                hint="Refer to less: to one field of an output, or to it once.",
                limit=self._max_bytes,
                actual=self._bytes,
            )

    def item(self, key: str, value: JsonValue, depth: int) -> JsonValue:
        self.add(_size(key) + 1)
        return self.value(value, depth)

    def value(self, value: JsonValue, depth: int) -> JsonValue:
        """Return the value with its references replaced; it is counted by then."""
        if depth > MAX_DEPTH:  # no request can bring that, and no request could carry it on
            raise ToolError("invalid_arguments", f"Arguments are nested deeper than {MAX_DEPTH}")
        if isinstance(value, list):
            self.add(_frame(value))
            return [self.value(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            self.add(_size(value))
            return value
        if value.keys() == {FROM}:
            found = self._look_up(_pointer(value[FROM]))
            self.add(_size(found))
            return found
        if value.keys() == {JOIN}:
            return self._joined(_parts(value[JOIN]), depth)
        self.add(_frame(value))
        return {key: self.item(key, item, depth + 1) for key, item in value.items()}

    def _joined(self, parts: Sequence[JsonValue], depth: int) -> str:
        before = self._bytes
        text = "".join([_text(self.value(part, depth + 1)) for part in parts])
        self._bytes = before  # the parts are gone: the text counts in their place
        self.add(_size(text))
        return text

    def _look_up(self, pointer: str) -> JsonValue:
        name, *tokens = pointer.split("/")
        if name not in self._steps:
            raise _missing(pointer, f"no earlier step is named '{_shown(name)}'", self._steps)
        value: Any = self._fields(name)
        for token in tokens:
            value = _step_into(value, token.replace("~1", "/").replace("~0", "~"), pointer)
        found: JsonValue = value
        return found

    def _fields(self, name: str) -> dict[str, Any]:
        """Return what a step shows to references; made once, however many point at it."""
        if name not in self._dumped:
            self._dumped[name] = self._steps[name].model_dump(mode="json", include=set(FIELDS))
        return self._dumped[name]


def named_steps(value: JsonValue) -> set[str]:
    """Return the names of the steps that a value refers to."""
    return set(_names(value))


def referred_to(value: JsonValue, steps: Mapping[str, Step]) -> Sequence[Step]:
    """Return the steps that a value refers to, each as often as it does."""
    return [steps[name] for name in _names(value) if name in steps]


def _names(value: JsonValue) -> Iterator[str]:
    found = (pointer for _, pointer in pointers(value))
    return (pointer.split("/", 1)[0] for pointer in found if isinstance(pointer, str))


def pointers(value: JsonValue) -> Iterator[tuple[Place, JsonValue]]:
    """Yield every reference in a value, in order, with the place it stands at."""
    # Places are tuples: texts that hold all keys above would be as long as the plan, each of them.
    left: list[tuple[Place, JsonValue]] = [((), value)]
    while left:
        place, value = left.pop()
        if isinstance(value, dict) and value.keys() == {FROM}:
            yield place, value[FROM]
        elif isinstance(value, dict):
            left += [((*place, key), item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            left += [((*place, n), value[n]) for n in reversed(range(len(value)))]


def _pointer(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise ToolError("invalid_reference", "$from takes a string such as 'find/output/total'")
    return value


def _parts(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise ToolError("invalid_reference", "$join takes a list of texts and references")
    return value


def _step_into(value: Any, token: str, pointer: str) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list):
        if _INDEX.fullmatch(token) and int(token) < len(value):
            return value[int(token)]
        raise _missing(pointer, f"there is no item '{_shown(token)}' among {len(value)}", ())
    keys = value if isinstance(value, dict) else ()
    raise _missing(pointer, f"there is no '{_shown(token)}'", keys)


def _missing(pointer: str, reason: str, there: Iterable[str]) -> ToolError:
    names = ", ".join(repr(_shown(name)) for name in islice(there, SHOWN_KEYS))
    return ToolError(
        "invalid_reference",
        f"'{_shown(pointer)}' points at nothing: {reason}",
        hint=f"There is {names}." if names else None,
    )


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else _compact(value)


def _frame(value: Sized) -> int:
    """Return the bytes of a list's or an object's brackets and commas."""
    return 1 + max(len(value), 1)


def _size(value: JsonValue) -> int:
    return len(_compact(value).encode())


def _compact(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
