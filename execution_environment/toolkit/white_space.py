"""Texts that differ in white space only: found, counted and shown, and never taken for each other."""

import json
import re
import string
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice

MAX_WANTED = 256 * 1024
"""Characters of a text that is looked for."""
MAX_PLACES = 1000
"""Places that are looked at."""
MAX_SHOWN = 4000
"""Characters of the text that a hint carries; of a longer one it names the lines."""
BLOCK = 1024
"""Characters among which a place is found by counting."""
_NO_BREAK = "\u00a0"
_WHITE = string.whitespace + _NO_BREAK
_BLANKS = re.compile(rf"[ \t{_NO_BREAK}]*")
_REST_OF_LINE = re.compile(rf"{_BLANKS.pattern}(\r?\n)?")
_WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")


def hint(content: str, wanted: str) -> str | None:
    """Return a hint with the text of `content` that is `wanted` but for white space; None without one.

    Words stay words: `in a` is not `ina`. The work is linear in both texts.
    """
    alike = list(islice(_alike(content, wanted), MAX_PLACES))
    words = _WORD_OR_SIGN.findall(wanted) if alike else []
    places = [at for at in alike if _WORD_OR_SIGN.findall(content[slice(*at)]) == words]
    if not places:
        return None
    more = " or more" if len(alike) == MAX_PLACES else ""
    others = f", the first of {len(places)}{more} places" if len(places) > 1 else ""
    return _told(content, *_with_edges(content, *places[0], wanted), others)


def _told(content: str, start: int, end: int, others: str) -> str:
    found = content[start:end]
    first, count = content.count("\n", 0, start) + 1, found.rstrip("\n").count("\n") + 1
    where = f"line {first}" if count == 1 else f"lines {first} to {first + count - 1}"
    told = f"It differs in white space only from {where}{others}."
    if len(found) > MAX_SHOWN:
        return f"{told} Read with start_line={first} and max_lines={count}, and copy that exactly."
    return f"{told} The exact text there, as a JSON string: {_as_json(found)}"


def _alike(content: str, wanted: str) -> Iterator[tuple[int, int]]:
    """Yield where a text of the same signs begins and ends; of places that overlap only the first."""
    squeezed = _squeeze(wanted)
    if not squeezed or len(wanted) > MAX_WANTED:
        return
    text = _Squeezed(content)
    index = text.content.find(squeezed)
    while index >= 0:
        after = index + len(squeezed)
        yield text.position(index), text.position(after - 1) + 1
        index = text.content.find(squeezed, after)


class _Squeezed:
    """A text without its white space, each character of which knows where it stood."""

    def __init__(self, text: str) -> None:
        self._text = text
        blocks = [_squeeze(text[at : at + BLOCK]) for at in range(0, len(text), BLOCK)]
        self._ends = list(accumulate(map(len, blocks)))
        self.content = "".join(blocks)

    def position(self, index: int) -> int:
        """Return where a character of `content` stood in the text."""
        number = bisect_right(self._ends, index)
        begin = number * BLOCK
        before = index - (self._ends[number - 1] if number else 0)
        block = self._text[begin : begin + BLOCK]
        return begin + bisect_left(
            range(len(block)), before + 1, key=lambda at: len(_squeeze(block[: at + 1]))
        )


def _squeeze(text: str) -> str:
    for sign in _WHITE:  # each is one pass in C: of the ways to do it, the one that stays linear
        text = text.replace(sign, "")
    return text


def _with_edges(content: str, start: int, end: int, wanted: str) -> tuple[int, int]:
    """Take in the blanks around, and the end of the line, where the wanted text has such things."""
    if wanted[0] in _WHITE:
        line = content.rfind("\n", 0, start) + 1
        start = line + len(content[line:start].rstrip(_WHITE))
    trailing = wanted[len(wanted.rstrip(_WHITE)) :]
    rest = (_REST_OF_LINE if "\n" in trailing else _BLANKS).match(content, end)
    if trailing and rest:
        end = rest.end()
    return start, end


def _as_json(text: str) -> str:
    """Return a string as JSON has it; a space that does not break looks like any other."""
    return json.dumps(text, ensure_ascii=False).replace(_NO_BREAK, "\\u00a0")
