"""What a client's JSON schema is made of, and which of it can be kept to in bounded time."""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from pydantic import JsonValue

from common.globs import InvalidPattern, compile_pattern
from common.tools import JsonSchema

MAX_NESTING = 40
"""Schemas within each other: their check takes some ten frames of the stack for each."""
_WITH_ONE = frozenset(
    {"additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "then"}
    | {"propertyNames"}
)
_WITH_SOME = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_WITH_NAMES = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_REFUSED = frozenset(
    {"patternProperties", "unevaluatedItems", "unevaluatedProperties"}  # work without a bound
    | {"$dynamicRef", "$recursiveRef", "$id", "$schema"}
)
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class UnusableSchema(Exception):  # a state of affairs: who asked for the check says so
    """A schema that cannot be kept to; the message says why."""


class References:
    """The schemas that a `$ref` may name: those in the same document, where a schema can stand.

    What stands elsewhere, among examples or beneath a word that means nothing, is data: nobody has
    checked it as a schema, so nothing may refer to it.
    """

    def __init__(self, schema: JsonSchema) -> None:
        self._named: dict[str, JsonValue] = {}
        for reference, part in _parts(schema):
            self._named[reference] = part
            if isinstance(part, dict) and "$anchor" in part:
                self._named[f"#{part['$anchor']}"] = part

    def __getitem__(self, reference: str) -> JsonValue:
        """Return what is referred to; raise UnusableSchema when it is not there."""
        try:
            return self._named[unquote(reference)]
        except KeyError as error:
            raise UnusableSchema(f"refers to what is not there: {reference}") from error


def check_parts(schema: JsonSchema) -> None:
    """Raise UnusableSchema for a part that is not supported, or which refers to what is not there."""
    references = References(schema)
    for _, part in _parts(schema):
        for keyword, rule in part.items() if isinstance(part, dict) else ():
            if fault := _fault(keyword, rule):
                raise UnusableSchema(fault)
            if keyword == "$ref":
                references[str(rule)]


def _parts(schema: JsonSchema) -> Iterator[tuple[str, JsonValue]]:
    """Yield a schema and every one in it, each with the reference that names it."""
    waiting: list[tuple[str, JsonValue, int]] = [("#", schema, 1)]
    while waiting:
        reference, part, depth = waiting.pop()
        if depth > MAX_NESTING:
            raise UnusableSchema(f"is nested more than {MAX_NESTING} deep")
        yield reference, part
        if isinstance(part, dict):
            waiting += ((f"{reference}/{path}", inner, depth + 1) for path, inner in _within(part))


def _within(part: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    for keyword, rule in part.items():
        if keyword in _WITH_ONE:
            yield keyword, rule
        elif keyword in _WITH_SOME and isinstance(rule, list):
            yield from ((f"{keyword}/{number}", inner) for number, inner in enumerate(rule))
        elif keyword in _WITH_NAMES and isinstance(rule, dict):
            yield from ((f"{keyword}/{_token(name)}", inner) for name, inner in rule.items())


def _token(name: str) -> str:
    """Return a name as JSON pointers spell it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _fault(keyword: str, rule: JsonValue) -> str | None:
    if keyword == "$schema" and str(rule).rstrip("#") == _DRAFT:
        return None
    if keyword in _REFUSED:
        return f"uses {keyword}, which is not supported here"
    if keyword == "$ref" and not str(rule).startswith("#"):
        return "refers to another document by $ref"
    return _pattern_fault(str(rule)) if keyword == "pattern" else None


def _pattern_fault(pattern: str) -> str | None:
    try:
        compile_pattern(pattern)
    except InvalidPattern as error:
        return f"has a pattern that RE2 does not take: {error}"
    return None
