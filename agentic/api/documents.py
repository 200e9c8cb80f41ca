"""JSON that a server sends, read into models: of bounded size in memory, whatever it holds."""

from typing import TypeVar

from pydantic import TypeAdapter

from common.documents.strict_json import count_values

T = TypeVar("T")
MOST_VALUES = 2_000_000
"""Values in one document: two bytes of one become a hundred. The outputs of a run, 16 MiB, have as many
where they are nothing but the shortest matches of searches, at 8 bytes a value."""


class Unreadable(ValueError):
    """A document is not what it has to be; the message says so of what holds it."""


def read_document(body: bytes, model: type[T]) -> T:
    """Return what a document holds; raise Unreadable for what is not of the model, or too much."""
    if count_values(body, MOST_VALUES) > MOST_VALUES:
        raise Unreadable(f"has more than {MOST_VALUES} values")
    try:
        return TypeAdapter(model).validate_json(body)
    except ValueError as error:
        raise Unreadable("is not the orchestrator's") from error
