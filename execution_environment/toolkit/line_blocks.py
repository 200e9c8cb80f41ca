"""A text in blocks, so that inserting a line moves little of it."""

import bisect

BLOCK = 16 * 1024
"""Characters; what grows beyond twice of it is cut anew."""


class LineBlocks:
    """A text that lines are inserted into. Lines count from 1."""

    def __init__(self, content: str) -> None:
        self._blocks = _cut(content)
        self._newlines = [block.count("\n") for block in self._blocks]

    @property
    def last_line(self) -> int:
        """The number of the last line, 0 for an empty text."""
        return sum(self._newlines) + (not self._ends_with_newline)

    @property
    def _ends_with_newline(self) -> bool:
        """Whether nothing stands after the last newline; an empty text counts."""
        return self._blocks[-1][-1:] in ("\n", "")

    def insert(self, line: int, text: str) -> None:
        """Insert whole lines before a line; one past the last appends."""
        if line > self.last_line:
            gap = "" if self._ends_with_newline else "\n"
            self._put(len(self._blocks) - 1, len(self._blocks[-1]), gap + text)
            return
        left = line - 1
        number = 0
        while left > self._newlines[number]:
            left -= self._newlines[number]
            number += 1
        ending = "" if text.endswith("\n") else "\n"
        self._put(number, _after_newlines(self._blocks[number], left), text + ending)

    def _put(self, number: int, position: int, text: str) -> None:
        block = self._blocks[number]
        block = block[:position] + text + block[position:]
        pieces = _cut(block) if len(block) > 2 * BLOCK else [block]
        self._blocks[number : number + 1] = pieces
        self._newlines[number : number + 1] = [piece.count("\n") for piece in pieces]

    def join(self) -> str:
        """Return the text."""
        return "".join(self._blocks)


def _cut(content: str) -> list[str]:
    """Return the text in blocks; at least one, and none that is empty unless the text is."""
    return [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)] or [""]


def _after_newlines(block: str, count: int) -> int:
    """Return the position after so many newlines."""
    return bisect.bisect_left(range(len(block)), count, key=lambda at: block.count("\n", 0, at))
