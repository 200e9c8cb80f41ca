"""What a JSON schema is made of."""

from collections.abc import Iterator
from typing import Any

_WITH_SCHEMAS = frozenset(
    {"additionalItems", "additionalProperties", "allOf", "anyOf", "contains", "contentSchema"}
    | {"else", "if", "items", "not", "oneOf", "prefixItems", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_WITH_NAMES = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)


def parts_of(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield a schema and every one in it, each under the references that name it.

    What stands elsewhere, among examples or beneath a word that means nothing, is data: nobody has
    checked it as a schema, so nothing may refer to it.
    """
    waiting: list[tuple[str, Any]] = [("#", schema)]
    while waiting:
        reference, part = waiting.pop()
        yield reference, part
        if isinstance(part, dict):
            if "$anchor" in part:
                yield f"#{part['$anchor']}", part
            waiting += ((f"{reference}/{path}", inner) for path, inner in _within(part))


def _within(part: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for keyword, rule in part.items():
        if keyword in _WITH_SCHEMAS and isinstance(rule, list):
            yield from ((f"{keyword}/{number}", inner) for number, inner in enumerate(rule))
        elif keyword in _WITH_SCHEMAS:
            yield keyword, rule
        elif keyword in _WITH_NAMES and isinstance(rule, dict):
            yield from ((f"{keyword}/{_token(name)}", inner) for name, inner in rule.items())


def _token(name: str) -> str:
    """Return a name as JSON pointers spell it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
