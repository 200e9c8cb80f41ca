"""The process that judges by a client's schema: what that takes is taken here, within limits.

A few words of schema can ask for years, or for all memory there is. So one process answers one
question, has nothing but the question, fetches no document, and whatever goes wrong is its end.
"""

import functools
import json
import os
import re
import resource
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypedDict
from urllib.parse import unquote

from jsonschema import (
    Draft7Validator,
    Draft201909Validator,
    Draft202012Validator,
    FormatChecker,
)
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from common.files.globs import InvalidPattern, compile_pattern
from orchestrator.planners.llm.answers.schemas import parts_of

MAX_SECONDS = 5
"""Of CPU, the process' start among them."""
MAX_MEMORY = 512 * 1024 * 1024
"""Bytes of address space."""
MAX_SHOWN = 300
MAX_ERRORS = 10
NICENESS = 10
"""Who serves goes before who judges."""
_LATEST = "https://json-schema.org/draft/2020-12/schema"
_DRAFTS = {
    _LATEST: Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
}
_REFUSED = frozenset({"$id", "$schema", "$dynamicRef", "$recursiveRef"})
"""What would make a reference mean another document, or another thing each time."""
_NO_FORMATS = FormatChecker(formats=())


class Question(TypedDict):
    """A schema, and what to judge by it: an answer in JSON, or nothing but the schema itself."""

    schema: dict[str, Any]
    answer: str | None


def main() -> None:
    """Read a question, and write what is wrong; end without a word where that takes too much."""
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    json.dump(faults(json.load(sys.stdin)), sys.stdout)


def faults(question: Question) -> list[str]:
    """Return what is wrong with the answer, or with the schema alone: a few lines, none if all is well."""
    schema, answer = question["schema"], question["answer"]
    if answer is None:
        return list(islice(_schema_faults(schema), 1))
    value = json.loads(answer, parse_float=_number)
    return list(map(_told, islice(_validator(schema).iter_errors(value), MAX_ERRORS)))


def _schema_faults(schema: dict[str, Any]) -> Iterator[str]:
    draft = _draft(schema)
    if draft is None:
        yield "has a $schema that is not supported here: take draft 2020-12"
        return
    plain = _without_draft(schema)
    parts = dict(parts_of(plain))
    yield from (fault for part in parts.values() for fault in _faults_of(part, parts))
    try:
        draft.check_schema(plain, format_checker=_NO_FORMATS)
    except SchemaError as error:
        yield f"is no JSON schema: {error.message[:MAX_SHOWN]}"
        return
    next(_validator(schema).iter_errors(None), None)  # it may refer to itself without an end


def _draft(schema: dict[str, Any]) -> Any:
    return _DRAFTS.get(str(schema.get("$schema", _LATEST)).rstrip("#"))


def _without_draft(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose `$schema` does not bring the library's own judging of items back."""
    return {keyword: rule for keyword, rule in schema.items() if keyword != "$schema"}


def _validator(schema: dict[str, Any]) -> Any:
    judges = {"pattern": _pattern, "uniqueItems": _unique}
    kind = extend(_draft(schema), judges)  # type: ignore[no-untyped-call]
    return kind(_without_draft(schema), registry=Registry())


def _faults_of(part: Any, parts: dict[str, Any]) -> Iterator[str]:
    for keyword, rule in part.items() if isinstance(part, dict) else ():
        if keyword in _REFUSED:
            yield f"uses {keyword}, which is not supported here"
        elif keyword == "$ref" and not str(rule).startswith("#"):
            yield "refers to another document by $ref"
        elif keyword == "$ref" and unquote(str(rule)) not in parts:
            yield f"refers to what is not there: {str(rule)[:MAX_SHOWN]}"
        for pattern in _patterns(keyword, rule):
            yield from _pattern_faults(pattern)


def _patterns(keyword: str, rule: Any) -> list[str]:
    if keyword == "pattern" and isinstance(rule, str):
        return [rule]
    return list(rule) if keyword == "patternProperties" and isinstance(rule, dict) else []


def _pattern_faults(pattern: str) -> Iterator[str]:
    try:
        _compiled(pattern)
    except re.error as error:
        yield f"has a pattern that is none: {error}"[:MAX_SHOWN]


@functools.cache
def _compiled(pattern: str) -> Any:
    """Return RE2's pattern, which takes no longer than the text is; else Python's, for what only it has."""
    try:
        return compile_pattern(pattern)
    except InvalidPattern:
        return re.compile(pattern)


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError(f"it does not match {pattern}")


def _unique(_validator: Any, rule: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """Judge in one pass: the library compares each item with each other one."""
    if rule is True and isinstance(value, list):
        seen = {json.dumps(item, sort_keys=True) for item in value}
        if len(seen) < len(value):
            yield ValidationError("it has an item twice")


def _number(text: str) -> int | float:
    """Return an integer for 1.0: to JSON Schema they are the same."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _told(error: ValidationError) -> str:
    where = ".".join(map(str, error.absolute_path)) or "the answer"
    return f"{where}: {error.message}"[:MAX_SHOWN]
