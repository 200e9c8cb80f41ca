"""The JSON schema that a run's answer has to match: checked itself first, for it comes from a client."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from pydantic import JsonValue
from referencing import Registry
from referencing.exceptions import Unresolvable

from common import strict_json
from common.errors import ClientError
from common.globs import InvalidPattern, compile_pattern
from common.tools import JsonSchema

MAX_SCHEMA = 20_000
"""Characters as JSON: the model has to read it as well."""
MAX_REFERENCES = 10_000
"""Followed for one answer: a few that name each other twice could be followed for ever."""
MAX_SHOWN = 300
MAX_ERRORS = 10
_OF_NAMES = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_DATA = frozenset({"const", "enum", "default", "examples"})
_REFUSED = frozenset({"patternProperties", "$dynamicRef", "$recursiveRef", "$id", "$schema"})
_NO_FORMATS = FormatChecker(formats=())
"""Patterns are RE2's: what Python's would make of them does not matter."""
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class AnswerMismatch(Exception):  # a state of affairs, not an error: the model is asked again
    """The answer is no JSON, or not as the schema wants it; the message says what is wrong."""


def check_schema(schema: JsonSchema) -> None:
    """Raise ClientError `invalid_request` for what is no schema, or could not be checked in bounded time."""
    if len(json.dumps(schema, ensure_ascii=False)) > MAX_SCHEMA:
        raise _invalid(f"is longer than {MAX_SCHEMA} characters")
    try:
        Draft202012Validator.check_schema(schema, format_checker=_NO_FORMATS)
        faults = [_fault(keyword, rule) for keyword, rule in _keywords(schema)]
        if fault := next(filter(None, faults), None):
            raise _invalid(fault)
        next(_Bounded(schema).errors(None), None)
    except SchemaError as error:
        raise _invalid(f"is no JSON schema: {error.message[:MAX_SHOWN]}") from error
    except Unresolvable as error:
        raise _invalid(f"refers to what is not there: {error.ref[:MAX_SHOWN]}") from error
    except (RecursionError, _TooMany) as error:
        raise _invalid("refers to itself without an end, or is nested too deeply") from error


def matching_json(text: str, schema: JsonSchema) -> str:
    """Return the JSON of an answer, compact; it may stand in a fence. Raises AnswerMismatch."""
    value = _parsed(text)
    try:
        errors = list(islice(_Bounded(schema).errors(value), MAX_ERRORS))
    except (RecursionError, Unresolvable, _TooMany) as error:
        raise AnswerMismatch("output_schema cannot be followed to its end") from error
    if errors:
        raise AnswerMismatch("\n".join(map(_told, errors)))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _invalid(fault: str) -> ClientError:
    return ClientError("invalid_request", f"output_schema {fault}")


def _keywords(schema: object) -> Iterator[tuple[str, object]]:
    """Yield every keyword of a schema with its rule; names of properties and data are none."""
    if isinstance(schema, list):
        for item in schema:
            yield from _keywords(item)
    if isinstance(schema, dict):
        for keyword, rule in schema.items():
            yield keyword, rule
            yield from _keywords(_schemas_in(keyword, rule))


def _schemas_in(keyword: str, rule: object) -> object:
    if keyword in _DATA:
        return None
    return list(rule.values()) if keyword in _OF_NAMES and isinstance(rule, dict) else rule


def _fault(keyword: str, rule: object) -> str | None:
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


def _parsed(text: str) -> JsonValue:
    parts = text.split("```")
    wanted = parts[1].removeprefix("json") if len(parts) == 3 else text  # one fence: what is in it
    try:
        value: JsonValue = strict_json.loads(wanted.strip().encode(), "The answer")
    except (ClientError, UnicodeError) as error:
        detail = error.detail if isinstance(error, ClientError) else str(error)
        raise AnswerMismatch(detail) from error
    return value


def _told(error: ValidationError) -> str:
    where = ".".join(map(str, error.absolute_path)) or "the answer"
    return f"{where}: {error.message}"[:MAX_SHOWN]


class _TooMany(Exception):
    """More references were followed than are allowed."""


class _Bounded:
    """A validator whose work is bounded, and which reads no other documents."""

    def __init__(self, schema: JsonSchema) -> None:
        self._followed = 0
        judges = {"$ref": self._follow, "pattern": _pattern, "uniqueItems": _unique}
        kind = extend(Draft202012Validator, judges)  # type: ignore[no-untyped-call]
        self.errors: Callable[[JsonValue], Iterator[ValidationError]] = kind(
            schema, registry=Registry()
        ).iter_errors

    def _follow(self, validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[Any]:
        self._followed += 1
        if self._followed > MAX_REFERENCES:
            raise _TooMany
        yield from Draft202012Validator.VALIDATORS["$ref"](validator, rule, value, schema)


def _unique(_validator: Any, rule: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """Judge in one pass: the library compares each item with each other one."""
    if rule is True and isinstance(value, list):
        seen = {json.dumps(item, sort_keys=True) for item in value}
        if len(seen) < len(value):
            yield ValidationError("it has an item twice")


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not compile_pattern(pattern).search(value):
        yield ValidationError(f"it does not match {pattern}")
