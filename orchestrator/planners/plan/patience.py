"""Judges a plan's arguments by the tools' schemas, as far as they are known before it runs."""

from collections.abc import Iterator
from typing import Any

from jsonschema.validators import extend
from pydantic import JsonValue

from orchestrator.planners.argument_check import Exact, Keyword
from orchestrator.planners.plan.references import FROM, JOIN

_OF_ALL_WITHIN = frozenset(
    {"const", "contains", "enum", "if", "not", "oneOf", "unevaluatedItems", "unevaluatedProperties",
     "uniqueItems"}
)  # fmt: skip
"""What says nothing about a value in which anything is still to come."""


def _is_reference(value: JsonValue) -> bool:
    return isinstance(value, dict) and value.keys() in ({FROM}, {JOIN})


def _has_reference(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return _is_reference(value) or any(map(_has_reference, value.values()))
    return isinstance(value, list) and any(map(_has_reference, value))


def _patient(keyword: str, judge: Keyword) -> Keyword:
    """Return a keyword that waits with its judgement for what comes by reference."""
    is_open = _has_reference if keyword in _OF_ALL_WITHIN else _is_reference

    def errors(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[Any]:
        if not is_open(value):
            yield from judge(validator, rule, value, schema) or ()

    return errors


_JUDGES = {name: _patient(name, judge) for name, judge in Exact.VALIDATORS.items()}
Patient = extend(Exact, _JUDGES)  # type: ignore[no-untyped-call]
