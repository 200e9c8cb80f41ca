"""Cuts what is too long for a model: head and tail stay, and what is left out is said."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class LeftOut:
    """What a cut leaves out: whole lines, counted from 1, or else a part of a line."""

    first_line: int
    lines: int
    """None of them: the cut is within lines."""
    characters: int

    def __str__(self) -> str:
        if not self.lines:
            return f"{self.characters} characters"
        last = self.first_line + self.lines - 1
        return f"lines {self.first_line}-{last} ({self.characters} characters)"


def ask_for_less(left_out: LeftOut) -> str:
    """Say what was left out of any output."""
    return f"{left_out} left out here: ask for less to see them"


def cut(text: str, most: int, note: Callable[[LeftOut], str] = ask_for_less) -> str:
    """Return a text of about `most` characters at most: the beginning, a note, and the end."""
    if len(text) <= most:
        return text
    head = text[: most * 2 // 3]
    head = head[: head.rfind("\n") + 1] or head
    tail = text[len(text) - most // 3 :]
    tail = tail[tail.find("\n") + 1 :] or tail
    middle = text[len(head) : len(text) - len(tail)]
    is_whole_lines = head.endswith("\n") and middle.endswith("\n")
    left_out = LeftOut(
        head.count("\n") + 1, middle.count("\n") if is_whole_lines else 0, len(middle)
    )
    before = "" if head.endswith("\n") else "\n"
    return f"{head}{before}[… {note(left_out)} …]\n{tail}"
