"""The paths that a call touches, parsed as the execution environment does: no spelling gets round a rule."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic import JsonValue

from common.errors import ToolError
from common.files.patch_parser import parse as parse_patch
from common.files.paths import Parts, parse
from common.tools import SHALLOW, TOUCHES, ToolSpec

Arguments = Mapping[str, JsonValue]


class Touched(NamedTuple):
    """A path of the workspace; a tree is touched with all that lies in it."""

    parts: Parts
    is_tree: bool = False

    def overlaps(self, other: "Touched") -> bool:
        """Tell whether both are about the same place: equal, or one within the other's tree."""
        shorter, longer = sorted((self, other), key=lambda one: len(one.parts))
        if longer.parts[: len(shorter.parts)] != shorter.parts:
            return False
        return shorter.is_tree or len(shorter.parts) == len(longer.parts)


EVERYTHING = Touched((), is_tree=True)


def touched_by(spec: ToolSpec | None, arguments: Arguments) -> Sequence[Touched]:
    """Return what a call touches; everything, where its tool or the call does not say that.

    Raises ToolError for paths and patches that cannot be read: such a call is refused by its tool as
    well. A patch may be megabytes: this is for a thread.
    """
    properties: Mapping[str, Any] = {} if spec is None else spec.arguments_schema["properties"]
    declared = {name: schema for name, schema in properties.items() if TOUCHES in schema}
    found = [
        touched
        for name, schema in declared.items()
        for touched in _named(
            schema, arguments.get(name, schema.get("default")), arguments, properties
        )
    ]
    return found or [EVERYTHING]


def _named(
    schema: Mapping[str, Any], value: JsonValue, arguments: Arguments, properties: Mapping[str, Any]
) -> Iterator[Touched]:
    if schema[TOUCHES] == "patch":
        yield from _patched(value)
        return
    is_tree = schema[TOUCHES] == "tree" and not _is_shallow(schema, arguments, properties)
    if isinstance(value, str):
        yield Touched(parse(value), is_tree)
    paths = value if isinstance(value, list) else ()
    for path in (it for it in paths if isinstance(it, str)):
        with suppress(ToolError):  # the tool refuses this one, and takes the others
            yield Touched(parse(path), is_tree)


def _patched(patch: JsonValue) -> Iterator[Touched]:
    for file in parse_patch(patch) if isinstance(patch, str) else ():
        yield from (
            Touched(parse(path)) for path in (file.old_path, file.new_path) if path is not None
        )


def _is_shallow(
    schema: Mapping[str, Any], arguments: Arguments, properties: Mapping[str, Any]
) -> bool:
    shallow: Mapping[str, JsonValue] = schema.get(SHALLOW, {})
    return bool(shallow) and all(
        arguments.get(name, properties[name].get("default")) == value
        for name, value in shallow.items()
    )
