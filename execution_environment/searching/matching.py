"""Finds a pattern in the bytes of one file, with the lines around it, in linear time."""

import itertools
from collections.abc import Iterator
from typing import Any, TypedDict

MAX_LINE = 500
"""Characters of a line that are shown."""
_MAX_BYTES = 4 * MAX_LINE
"""Bytes that hold them, whatever they are."""


class Found(TypedDict):
    """One occurrence. `column` counts characters from 1; `before` and `after` are whole lines."""

    line: int
    column: int
    text: str
    before: list[str]
    after: list[str]


class Occurrences(TypedDict):
    """What was found in one file: all are counted, not all of them shown."""

    total: int
    shown: list[Found]


def text_of(data: bytes) -> bytes | None:
    """Return a file's text with plain newlines, or None for what is not text."""
    if b"\0" in data or not _is_unicode(data):
        return None
    # to look for the two bytes takes twenty times as long as for one
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


def _is_unicode(data: bytes) -> bool:
    if data.isascii():  # known in a tenth of the time
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def search(data: bytes, pattern: Any, context: int, most: int, room: int) -> Occurrences:
    """Count how often the pattern occurs in a text, and return the first of the places.

    Those are at most `most`, with at most `room` characters of text.
    """
    places = (found.start() for found in pattern.finditer(data))
    looked_at, shown = 0, list[Found]()
    for found in _places(data, itertools.islice(places, most), context):
        looked_at += 1
        room -= size(found)
        if room < 0:
            break
        shown.append(found)
    return Occurrences(total=looked_at + sum(1 for _ in places), shown=shown)


def size(found: Found) -> int:
    """Return the characters of text that an occurrence is shown with."""
    return len(found["text"]) + sum(map(len, (*found["before"], *found["after"])))


def _places(data: bytes, places: Iterator[int], context: int) -> Iterator[Found]:
    """Yield the occurrences; lines and columns are counted on from the one before."""
    line, start, counted, column = 1, 0, 0, 1
    for place in places:
        first = data.rfind(b"\n", start, place) + 1
        if first > start:
            line += data.count(b"\n", start, first)
            start, counted, column = first, first, 1
        column += len(data[counted:place].decode())
        counted = place
        end = _end_of_line(data, place)
        yield Found(
            line=line,
            column=column,
            text=_text(data, start, end),
            before=_before(data, start, context),
            after=_after(data, end, context),
        )


def _before(data: bytes, start: int, count: int) -> list[str]:
    """Return the lines that stand before a position, which begins a line."""
    lines: list[str] = []
    while start > 0 and len(lines) < count:
        end = start - 1
        start = data.rfind(b"\n", 0, end) + 1
        lines.append(_text(data, start, end))
    return lines[::-1]


def _after(data: bytes, end: int, count: int) -> list[str]:
    """Return the lines that stand after a position, which ends a line."""
    lines: list[str] = []
    while end < len(data) and len(lines) < count:
        start = end + 1
        end = _end_of_line(data, start)
        lines.append(_text(data, start, end))
    return lines


def _end_of_line(data: bytes, position: int) -> int:
    end = data.find(b"\n", position)
    return len(data) if end < 0 else end


def _text(data: bytes, start: int, end: int) -> str:
    """Return a line, as much of it as is shown; the cut may fall within a character."""
    return data[start : min(end, start + _MAX_BYTES)].decode(errors="ignore")[:MAX_LINE]
