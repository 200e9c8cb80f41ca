"""What a model writes as the arguments of a call: JSON, and now and then only nearly as asked for."""

import re
from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from common.documents import strict_json
from common.errors import ClientError, FieldError, ToolError
from common.tools import JsonSchema

MAX_FIELDS = 10
"""Fields that an error names."""
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")


def fitted(text: str, schema: JsonSchema) -> dict[str, JsonValue]:
    """Return the arguments of a call, where the schema is that of the tool's card.

    Small models write some things otherwise that can mean one thing only. Where the schema leaves no
    doubt: a null is taken for what is left out; `"5"`, `"true"` and a list or an object within a string
    for what they say; and no text for no arguments. Nothing else is changed, paths least of all.
    Raises `invalid_arguments` for what is no JSON object, or what two parsers could read differently.
    """
    if not text.strip():
        return {}
    value = _object(text)
    return {
        name: _fit(item, _properties([schema]).get(name, {}))
        for name, item in value.items()
        if not _is_left_out(name, item, [schema])
    }


def refused(tool: str, fields: Sequence[FieldError], hint: str) -> ToolError:
    """Return the error of a call whose arguments do not match the tool's schema."""
    wrong = "; ".join(f"{field.field or 'the call'} {field.message}" for field in fields)
    return ToolError(
        "invalid_arguments", f"Not valid: {wrong}", hint=hint, tool=tool, fields=list(fields)
    )


def told_arguments(tool: str, schema: JsonSchema) -> str:
    """Return a hint that names what a tool takes: models invent values for what they need not give."""
    required = schema.get("required", [])
    others = [name for name in schema["properties"] if name not in required]
    needs = f"{tool} needs {', '.join(required) or 'nothing'}"
    if not others:
        return f"{needs}, no more."
    return f"{needs}; leave out what you have no value for of {', '.join(others)}."


def _object(text: str) -> dict[str, JsonValue]:
    try:
        value = strict_json.loads(text.encode(), "What the call gives as arguments")
    except UnicodeError as error:
        raise _not_json("The arguments are not valid Unicode text") from error
    except ClientError as error:
        raise _not_json(error.detail) from error
    if not isinstance(value, dict):
        raise _not_json("The arguments are JSON, but not an object")
    return value


def _not_json(detail: str) -> ToolError:
    hint = "Send one JSON object: in strings, escape quotes, backslashes and newlines."
    return ToolError("invalid_arguments", detail, hint=hint)


def _fit(value: JsonValue, schema: JsonSchema) -> JsonValue:
    choices = schema.get("anyOf", [schema])
    if isinstance(value, str):
        value = _said(value, [choice.get("type") for choice in choices])
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_fit(item, items) for item in value]
    if isinstance(value, dict):
        known = _properties(choices)
        return {
            name: _fit(item, known.get(name, {}))
            for name, item in value.items()
            if not _is_left_out(name, item, choices)
        }
    return value


def _properties(choices: Sequence[JsonSchema]) -> Mapping[str, JsonSchema]:
    """Return the properties of an object, or of all the objects that may stand there."""
    found: dict[str, JsonSchema] = {}
    for choice in choices:
        for name, schema in choice.get("properties", {}).items():
            found[name] = schema if found.get(name, schema) == schema else {}
    return found


def _is_left_out(name: str, value: JsonValue, choices: Sequence[JsonSchema]) -> bool:
    """Whether it is a null for a property that may be left out, and takes none."""
    if value is not None or name not in _properties(choices):
        return False
    return any(name not in choice.get("required", ()) for choice in choices)


def _said(text: str, wanted: Sequence[JsonValue]) -> JsonValue:
    """Return what a string says, where only values of one type may stand there."""
    [kind, *others] = wanted
    is_one = isinstance(kind, str) and all(other == kind for other in others)
    reading = _READINGS.get(str(kind)) if is_one else None
    return text if reading is None else reading(text)


def _integer(text: str) -> JsonValue:
    return int(text) if _INTEGER.fullmatch(text) else text


def _boolean(text: str) -> JsonValue:
    return {"true": True, "false": False}.get(text, text)


def _within(kind: type) -> Callable[[str], JsonValue]:
    def read(text: str) -> JsonValue:
        try:
            value: JsonValue = strict_json.loads(text.encode())
        except (UnicodeError, ClientError):
            return text  # not that after all: the schema's check says what it has to be
        return value if isinstance(value, kind) else text

    return read


_READINGS: Mapping[str, Callable[[str], JsonValue]] = {
    "integer": _integer,
    "boolean": _boolean,
    "array": _within(list),
    "object": _within(dict),
}
