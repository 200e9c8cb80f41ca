"""Halves of characters: JSON may escape one in two, and a stream may part them; UTF-8 knows none."""

import re

from pydantic import JsonValue

_HALF = re.compile("[\ud800-\udfff]")
_FIRST_HALF_AT_END = re.compile("[\ud800-\udbff]$")


def whole(text: str) -> str:
    """Return a text whose halves are joined; one that is alone becomes U+FFFD."""
    if _HALF.search(text) is None:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def whole_json(value: JsonValue) -> JsonValue:
    """Do the same in every string of a document."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [whole_json(item) for item in value]
    if isinstance(value, dict):
        return {whole(key): whole_json(item) for key, item in value.items()}
    return value


class Joiner:
    """Takes a text in pieces of any size; a first half waits for the second one."""

    def __init__(self) -> None:
        self._waiting = ""

    def feed(self, piece: str) -> str:
        """Return what is complete."""
        text = self._waiting + piece
        found = _FIRST_HALF_AT_END.search(text)
        self._waiting = found.group() if found else ""
        return whole(text.removesuffix(self._waiting) if self._waiting else text)
