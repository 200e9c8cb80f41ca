"""Patches applied: how a hunk finds its place in a text."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from common.files.patches import MAX_LINES, FilePatch, Hunk, failed

MAX_OFFSET = 1000
"""Lines up and down from where a hunk says it belongs in which its place is looked for."""
MAX_COMPARED = 2_000_000
"""Lines compared in vain for the hunks of one file."""
MAX_SHOWN = 80
_LONG = "Use edit_file, which does not take it apart."
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def apply(file: FilePatch, content: str, check_clock: Callable[[], None] = lambda: None) -> str:
    """Return the content that the patch makes of a text with plain newlines.

    A hunk goes where it says, else to the nearest place where its lines match exactly, the later
    one of two. Raises `patch_failed`, with the first line that differs as hint, and what
    `check_clock` raises, which is called while places are looked for.
    """
    if content.count("\n") > MAX_LINES:
        raise failed(f"'{file.path}' has more than {MAX_LINES} lines", _LONG, file.path)
    lines = _LINE.findall(content)
    search = _Search(lines, check_clock)
    made: list[str] = []
    done = moved = 0
    for hunk in _in_the_form_of(content, file.hunks):
        stated = max(hunk.start - (1 if hunk.old else 0), 0)
        wanted = max(stated + moved, 0)
        place = search.place(hunk.old, wanted, done)
        if place is None:
            raise failed(
                f"Hunk {hunk.number} of '{file.path}' does not apply",
                _why(hunk, lines, wanted),
                file.path,
            )
        made += lines[done:place]
        made += hunk.new
        done, moved = place + len(hunk.old), place - stated
    return _joined(made + lines[done:])


class _Search:
    """Looks for the places of one file's hunks."""

    def __init__(self, lines: Sequence[str], check_clock: Callable[[], None]) -> None:
        self._lines = lines
        self._check_clock = check_clock
        self._left = MAX_COMPARED

    def place(self, old: Sequence[str], wanted: int, first: int) -> int | None:
        """Return the place nearest to the wanted one, not before `first`."""
        last = len(self._lines) - len(old)
        for offset in range(MAX_OFFSET + 1):
            self._check_clock()
            for place in (wanted + offset, wanted - offset):
                if first <= place <= last and self._fits(old, place):
                    return place
            self._left -= 1
            if self._left < 0:
                break
        return None

    def _fits(self, old: Sequence[str], place: int) -> bool:
        same = next((n for n, line in enumerate(old) if self._lines[place + n] != line), len(old))
        self._left -= same if same < len(old) else 0
        return same == len(old)


def _in_the_form_of(content: str, hunks: tuple[Hunk, ...]) -> tuple[Hunk, ...]:
    """Return the hunks with the line endings of the content.

    git quotes the CRLF of a file in its diff, and `text.decode` has taken it out of the content. A
    file without any line ending has none to take out.
    """
    old = [line for hunk in hunks for line in hunk.old]
    new = [line for hunk in hunks for line in hunk.new]
    is_quoted = any(line.endswith("\r\n") for line in old)
    if "\r\n" in content or not is_quoted or not all(_has_crlf(line) for line in old + new):
        return hunks
    return tuple(replace(hunk, old=_plain(hunk.old), new=_plain(hunk.new)) for hunk in hunks)


def _has_crlf(line: str) -> bool:
    return line.endswith("\r\n") or not line.endswith("\n")


def _plain(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line.replace("\r\n", "\n") for line in lines)


def _joined(lines: Sequence[str]) -> str:
    """Return the text; only its last line may lack the newline, or two lines would become one."""
    ended = (line if line.endswith("\n") else f"{line}\n" for line in lines[:-1])
    return "".join(ended) + "".join(lines[-1:])


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
