"""Patches, as they were read: what happens to which file, and how a hunk finds its place.

Lines keep their newline, so that "no newline at end of file" is a difference like any other.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from common.errors import ToolError

MAX_OFFSET = 1000
"""Lines up and down from where a hunk says it belongs in which its place is looked for."""
MAX_SHOWN = 80
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True)
class Hunk:
    """Lines that stand in the old file from `start` on (counted from 1), and what replaces them."""

    number: int
    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True)
class FilePatch:
    """What happens to one file. None for a path: there is no file before, or after."""

    old_path: str | None
    new_path: str | None
    hunks: tuple[Hunk, ...]

    @property
    def path(self) -> str:
        """The path that it is about, for errors."""
        return self.new_path or self.old_path or "."


def failed(detail: str, hint: str | None = None, path: str | None = None) -> ToolError:
    """Return the error for a patch that cannot be read, or does not apply."""
    return ToolError("patch_failed", detail, hint=hint, path=path)


def apply(file: FilePatch, content: str) -> str:
    """Return the content that the patch makes of a text with plain newlines.

    A hunk goes where it says, else to the nearest place where its lines match exactly. Raises
    `patch_failed`, with the first line that differs as hint.
    """
    lines = _LINE.findall(content)
    made: list[str] = []
    done = moved = 0
    for hunk in file.hunks:
        wanted = max(hunk.start - (1 if hunk.old else 0), 0) + moved
        place = next(
            (at for at in _places(wanted, done, len(lines)) if _fits(hunk, lines, at)), None
        )
        if place is None:
            raise failed(
                f"Hunk {hunk.number} of '{file.path}' does not apply",
                _why(hunk, lines, wanted),
                file.path,
            )
        made += lines[done:place]
        made += hunk.new
        done, moved = place + len(hunk.old), moved + place - wanted
    return "".join(made + lines[done:])


def _places(wanted: int, first: int, last: int) -> Iterator[int]:
    """Yield the places to try, the nearest first."""
    for offset in range(MAX_OFFSET + 1):
        for place in {wanted - offset, wanted + offset}:
            if first <= place <= last:
                yield place


def _fits(hunk: Hunk, lines: Sequence[str], place: int) -> bool:
    old = hunk.old
    if not old:
        return True
    if place >= len(lines) or lines[place] != old[0]:
        return False
    return tuple(lines[place : place + len(old)]) == old


def _why(hunk: Hunk, lines: Sequence[str], wanted: int) -> str:
    if hunk.new and tuple(lines[wanted : wanted + len(hunk.new)]) == hunk.new:
        return f"Line {wanted + 1} reads as if it had been applied already."
    for number, expected in enumerate(hunk.old, start=wanted):
        found = lines[number] if 0 <= number < len(lines) else None
        if found != expected:
            return f"Line {number + 1}: expected {_shown(expected)}, found {_shown(found)}."
    return "Its lines stand before the end of an earlier hunk: put the hunks in order."


def _shown(line: str | None) -> str:
    return "the end of the file" if line is None else repr(line[:MAX_SHOWN])
