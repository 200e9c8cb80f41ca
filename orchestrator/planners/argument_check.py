"""Checks arguments against the tools' schemas before anything is done."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic import JsonValue

from common.errors import FieldError
from common.tools import Tools

MAX_SHOWN = 200
"""Characters of a place, and of a message."""
Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]
Place = tuple[str | int, ...]


def _items(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[Any]:
    """Look at the items of a list that is not too long: of a longer one, that is said."""
    if isinstance(value, list) and len(value) <= schema.get("maxItems", len(value)):
        yield from Draft202012Validator.VALIDATORS["items"](validator, rule, value, schema) or ()


Exact = extend(Draft202012Validator, {"items": _items})  # type: ignore[no-untyped-call]
"""Judges every value as it is."""


class ArgumentCheck:
    """The schemas of a catalogue's tools, made ready once for all the calls that it checks."""

    def __init__(self, tools: Tools, judge: Any = Exact) -> None:
        self.tools = tools
        self._validators = {name: judge(spec.arguments_schema) for name, spec in tools.items()}

    def errors(
        self, tool: str, arguments: Mapping[str, JsonValue], where: Place
    ) -> Iterator[FieldError]:
        """Yield what the tool would refuse, each with its place."""
        for error in self._validators[tool].iter_errors(dict(arguments)):
            yield field_error((*where, *error.absolute_path), _told(error))


def field_error(place: Place, message: str) -> FieldError:
    """Return what is wrong at a place; the message does not repeat the input."""
    return FieldError(field=_dotted(place)[:MAX_SHOWN], message=message[:MAX_SHOWN])


def _dotted(place: Place) -> str:
    return ".".join(str(part)[:MAX_SHOWN] for part in place)


def _told(error: ValidationError) -> str:
    """Say which rule is broken; of names only, as the values may be secrets."""
    value: Any = error.instance
    rule: Any = error.validator_value
    if error.validator == "required":
        return f"needs {', '.join(name for name in rule if name not in value)}"
    if error.validator == "additionalProperties" and rule is False:
        known = error.schema.get("properties", {})  # type: ignore[union-attr]
        extra = ", ".join(str(name) for name in value if name not in known)
        return f"takes no {extra}"
    if error.validator == "type":
        return f"has to be of type {rule}"
    if error.validator == "anyOf" and error.context:
        return _told_of_nearest(error.context)
    return f"breaks the tool's schema: {error.validator} {rule}"


def _told_of_nearest(errors: list[ValidationError]) -> str:
    """Of alternatives, speak of the one of which the fewest rules are broken."""
    alternatives = [error.relative_schema_path[0] for error in errors]
    nearest = errors[alternatives.index(min(alternatives, key=alternatives.count))]
    place = _dotted(tuple(nearest.relative_path))
    return f"{place}: {_told(nearest)}" if place else _told(nearest)
