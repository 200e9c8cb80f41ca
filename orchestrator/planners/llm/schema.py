"""The schema of a tool's arguments as models read it best: short, flat, and nothing they can't use."""

from collections.abc import Mapping
from typing import Any

from common.tools import FOR_PROGRAMS, SHALLOW, TOUCHES, JsonSchema

_NULL = {"type": "null"}
_FOR_MACHINES = frozenset(
    {
        FOR_PROGRAMS,
        TOUCHES,
        SHALLOW,
        "$defs",
        "title",
        "pattern",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "maxProperties",
    }
)
"""What no model heeds: the check says it when it is broken."""


def for_model(schema: JsonSchema, *, is_whole: bool = False) -> JsonSchema:
    """Return the schema of an object without references, titles and defaults that say nothing.

    What may be null may be left out as well, and is shown as that. What only programs can fill is in
    it only where `is_whole` is set. Raises KeyError for a reference
    that is not to `$defs`.
    """
    short = _Shortening(schema.get("$defs", {}), is_whole).of(schema)
    return {"type": "object", "properties": {}, **short}


class _Shortening:
    """Shortens what stands in one schema; a definition within itself is shown as anything."""

    def __init__(self, definitions: Mapping[str, JsonSchema], is_whole: bool) -> None:
        self._definitions = definitions
        self._is_whole = is_whole
        self._open: list[str] = []

    def of(self, schema: Any) -> JsonSchema:
        if not isinstance(schema, dict):  # `true`: anything
            return {}
        if "$ref" in schema:
            return self._referred(schema)
        kept = {
            key: self._keyword(key, value)
            for key, value in schema.items()
            if key not in _FOR_MACHINES and not _says_nothing(key, value)
        }
        some = [choice for choice in kept.get("anyOf", ()) if choice != _NULL]
        if len(some) == 1:
            del kept["anyOf"]
            kept = {**some[0], **kept}
        elif some:
            kept["anyOf"] = some
        return _as_object(kept)

    def _referred(self, schema: JsonSchema) -> JsonSchema:
        name = schema["$ref"].removeprefix("#/$defs/")
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if name in self._open:
            return self.of(beside)
        self._open.append(name)
        found = self.of({**self._definitions[name], **beside})
        self._open.pop()
        return found

    def _keyword(self, key: str, value: Any) -> Any:
        if key == "properties":  # what stands in there are names, whatever they are
            return {n: self.of(schema) for n, schema in value.items() if self._is_shown(schema)}
        if key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            return [self.of(schema) for schema in value]
        if key in ("items", "additionalProperties"):
            return self.of(value)
        return value

    def _is_shown(self, schema: Any) -> bool:
        return self._is_whole or not (isinstance(schema, dict) and schema.get(FOR_PROGRAMS))


def _says_nothing(keyword: str, value: Any) -> bool:
    """Whether a model takes it for granted: what is unset, what is off, no further arguments."""
    if keyword == "default":
        return value is None or value is False
    return keyword == "additionalProperties" and isinstance(value, bool)


def _as_object(schema: JsonSchema) -> JsonSchema:
    """Put what is required first; what is said of each property stands for what is said of all."""
    if "properties" not in schema:
        return schema
    schema.pop("description", None)
    required = schema.get("required", ())
    names = sorted(schema["properties"], key=lambda name: name not in required)
    return {**schema, "properties": {name: schema["properties"][name] for name in names}}
