"""Checks a plan's arguments against the tools' schemas before anything is done."""

from collections.abc import Iterator, Mapping

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from common.errors import FieldError
from common.tools import ToolSpec
from orchestrator.planners.plan.references import FROM, JOIN

MAX_MESSAGE = 200
_OF_THE_WHOLE = ("required", "additionalProperties")


def argument_errors(
    arguments: Mapping[str, JsonValue], spec: ToolSpec, where: str
) -> Iterator[FieldError]:
    """Yield what the tool would refuse; what comes by reference is known only when it runs."""
    validator = Draft202012Validator(spec.arguments_schema)
    for error in validator.iter_errors(dict(arguments)):
        keyword = str(error.validator)
        if keyword in _OF_THE_WHOLE or not _has_reference(error.instance):
            place = ".".join([where, *map(str, error.absolute_path)])
            yield FieldError(field=place, message=_message(keyword, error.validator_value))


def _message(keyword: str, value: object) -> str:
    """Say which rule is broken, without repeating the input."""
    return f"breaks the tool's schema: {keyword} {value}"[:MAX_MESSAGE]


def _has_reference(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return FROM in value or JOIN in value or any(map(_has_reference, value.values()))
    return isinstance(value, list) and any(map(_has_reference, value))
