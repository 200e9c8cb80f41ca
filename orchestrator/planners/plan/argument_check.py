"""Checks a plan's arguments against the tools' schemas before anything is done."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend
from pydantic import JsonValue

from common.errors import FieldError
from common.tools import Tools
from orchestrator.planners.plan.references import FROM, JOIN, Place

MAX_SHOWN = 200
"""Characters of a place, and of a message."""
_OF_ALL_WITHIN = frozenset(
    {"const", "contains", "enum", "if", "not", "oneOf", "unevaluatedItems", "unevaluatedProperties",
     "uniqueItems"}
)  # fmt: skip
"""What says nothing about a value in which anything is still to come."""

_Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


class ArgumentCheck:
    """The schemas of a catalogue's tools, made ready once for all the plans that it checks."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self._validators = {name: _Validator(spec.arguments_schema) for name, spec in tools.items()}

    def errors(
        self, tool: str, arguments: Mapping[str, JsonValue], where: Place
    ) -> Iterator[FieldError]:
        """Yield what the tool would refuse; what comes by reference is known only when it runs."""
        for error in self._validators[tool].iter_errors(dict(arguments)):
            rule = f"breaks the tool's schema: {error.validator} {error.validator_value}"
            yield field_error((*where, *error.absolute_path), rule)


def field_error(place: Place, message: str) -> FieldError:
    """Return what is wrong at a place; the message does not repeat the input."""
    field = ".".join(str(part)[:MAX_SHOWN] for part in place)
    return FieldError(field=field[:MAX_SHOWN], message=message[:MAX_SHOWN])


def _is_reference(value: JsonValue) -> bool:
    return isinstance(value, dict) and value.keys() in ({FROM}, {JOIN})


def _has_reference(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return _is_reference(value) or any(map(_has_reference, value.values()))
    return isinstance(value, list) and any(map(_has_reference, value))


def _patient(keyword: str, judge: _Keyword) -> _Keyword:
    """Return a keyword that waits with its judgement for what comes by reference."""
    is_open = _has_reference if keyword in _OF_ALL_WITHIN else _is_reference

    def errors(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[Any]:
        if not is_open(value):
            yield from judge(validator, rule, value, schema) or ()

    return errors


def _items(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[Any]:
    """Look at the items of a list that is not too long: of a longer one, that is said."""
    if isinstance(value, list) and len(value) <= schema.get("maxItems", len(value)):
        yield from Draft202012Validator.VALIDATORS["items"](validator, rule, value, schema) or ()


_KEYWORDS = {**Draft202012Validator.VALIDATORS, "items": _items}
_JUDGES = {name: _patient(name, judge) for name, judge in _KEYWORDS.items()}
_Validator = extend(Draft202012Validator, _JUDGES)  # type: ignore[no-untyped-call]
