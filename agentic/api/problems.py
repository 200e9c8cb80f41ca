"""What a server says of an error: as much of it as a person reads, and cut so that it can be seen."""

from itertools import islice

from pydantic import JsonValue

from common.errors import MAX_FIELD_LENGTH, MAX_FIELDS, Problem
from common.files.archives import MOST_NAMED

MOST_TEXT = 4000
"""Characters of one text; a path may have 4095 bytes."""


def bounded(problem: Problem) -> Problem:
    """Return a problem whose texts and lists are cut where they are long; cut again it is the same."""
    texts = {
        name: shortened(text)
        for name in ("type", "title", "detail", "code", "hint", "request_id")
        if (text := getattr(problem, name)) is not None
    }
    context = {
        name: _few(name, problem.context[name]) for name in islice(problem.context, MOST_NAMED)
    }
    return problem.model_copy(update={**texts, "context": context})


def shortened(text: str, most: int = MOST_TEXT) -> str:
    """Return a text, or its beginning and an ellipsis."""
    return text if len(text) <= most + 1 else f"{text[:most]}…"


def _few(name: str, value: JsonValue) -> JsonValue:
    """Return a fact of the context: of a list the first, as many as the services name at most."""
    if name != "fields" or not isinstance(value, list):
        return _cut(value, MOST_TEXT)
    if len(value) <= MAX_FIELDS + 1:
        return _cut(value, MAX_FIELD_LENGTH)
    more: JsonValue = {"field": "…", "message": f"and {len(value) - MAX_FIELDS} more"}
    return [*(_cut(field, MAX_FIELD_LENGTH) for field in value[:MAX_FIELDS]), more]


def _cut(value: JsonValue, most: int) -> JsonValue:
    if isinstance(value, str):
        return shortened(value, most)
    if isinstance(value, list):
        return [_cut(one, most) for one in value[:MOST_NAMED]]
    if isinstance(value, dict):
        return {name: _cut(value[name], most) for name in islice(value, MOST_NAMED)}
    return value
