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

from common import strict_json
from common.errors import ClientError
from common.globs import compile_pattern
from common.tools import JsonSchema
from orchestrator.planners.llm.answers.schemas import References, UnusableSchema, check_parts

_Judge = Callable[[Any, Any, Any, Any], Iterator[Any] | None]

MAX_SCHEMA = 20_000
"""Characters as JSON: the model has to read it as well."""
MAX_JUDGED = 100_000
"""Keywords for one answer: references that name each other twice could be followed for ever."""
MAX_SHOWN = 300
MAX_ERRORS = 10
_NO_FORMATS = FormatChecker(formats=())
"""Patterns are RE2's: what Python's would make of them does not matter."""


class AnswerMismatch(Exception):  # a state of affairs, not an error: the model is asked again
    """The answer is no JSON, or not as the schema wants it; the message says what is wrong."""


def check_schema(schema: JsonSchema) -> None:
    """Raise ClientError `invalid_request` for what is no schema, or could not be checked in bounded time."""
    if len(json.dumps(schema, ensure_ascii=False)) > MAX_SCHEMA:
        raise _invalid(f"is longer than {MAX_SCHEMA} characters")
    try:
        check_parts(schema)
        Draft202012Validator.check_schema(schema, format_checker=_NO_FORMATS)
        next(_Bounded(schema).errors(None), None)
    except UnusableSchema as error:
        raise _invalid(str(error)[:MAX_SHOWN]) from error
    except SchemaError as error:
        raise _invalid(f"is no JSON schema: {error.message[:MAX_SHOWN]}") from error
    except (RecursionError, _TooMuch) as error:
        raise _invalid("refers to itself without an end, or takes too long to follow") from error


def matching_json(text: str, schema: JsonSchema) -> str:
    """Return the JSON of an answer, compact; it may stand in a fence. Raises AnswerMismatch."""
    value = _parsed(text)
    try:
        errors = list(islice(_Bounded(schema).errors(value), MAX_ERRORS))
    except (RecursionError, UnusableSchema, _TooMuch) as error:
        raise AnswerMismatch("output_schema cannot be followed to its end") from error
    if errors:
        raise AnswerMismatch("\n".join(map(_told, errors)))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _invalid(fault: str) -> ClientError:
    return ClientError("invalid_request", f"output_schema {fault}")


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


class _TooMuch(Exception):
    """More keywords were judged than are allowed."""


class _Bounded:
    """A validator whose work is bounded, and which reads no other documents."""

    def __init__(self, schema: JsonSchema) -> None:
        self._judged = 0
        self._references = References(schema)
        judges = {**Draft202012Validator.VALIDATORS, **_OWN, "$ref": self._follow}
        bounded = {keyword: self._counted(judge) for keyword, judge in judges.items()}
        kind = extend(Draft202012Validator, bounded)  # type: ignore[no-untyped-call]
        self.errors: Callable[[JsonValue], Iterator[ValidationError]] = kind(
            schema, registry=Registry()
        ).iter_errors

    def _counted(self, judge: _Judge) -> _Judge:
        def counted(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[Any] | None:
            self._judged += 1
            if self._judged > MAX_JUDGED:
                raise _TooMuch
            return judge(validator, rule, value, schema)

        return counted

    def _follow(self, validator: Any, rule: Any, value: Any, _schema: Any) -> Iterator[Any]:
        yield from validator.descend(value, self._references[rule])


def _unique(_validator: Any, rule: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """Judge in one pass: the library compares each item with each other one."""
    if rule is True and isinstance(value, list):
        seen = {json.dumps(item, sort_keys=True) for item in value}
        if len(seen) < len(value):
            yield ValidationError("it has an item twice")


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not compile_pattern(pattern).search(value):
        yield ValidationError(f"it does not match {pattern}")


_OWN: dict[str, _Judge] = {"pattern": _pattern, "uniqueItems": _unique}
