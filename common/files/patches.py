"""Patches, as they are read: what happens to which file.

Lines keep their newline, so that "no newline at end of file" is a difference like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from common.errors import ToolError

MAX_LINES = 1 << 20
"""Of a patch, and of a file that is patched: each takes memory of its own."""


@dataclass(frozen=True)
class Hunk:
    """Lines that stand in the old file from `start` on (counted from 1), and what replaces them."""

    number: int
    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]

    @classmethod
    def of(cls, number: int, start: int, body: Sequence[str]) -> Self:
        """Return the hunk that lines of a diff make; a marker takes the newline from the last."""
        lines = [
            (line[:1], line[1:] + ("" if following.startswith("\\") else "\n"))
            for line, following in zip(body, [*body[1:], ""], strict=True)
        ]
        old = tuple(line for tag, line in lines if tag in ("-", " ", ""))
        new = tuple(line for tag, line in lines if tag in ("+", " ", ""))
        return cls(number, start, old, new)

    @property
    def is_whole(self) -> bool:
        """Whether only the last line of each side lacks its newline, if any does."""
        return all(line.endswith("\n") for line in self.old[:-1] + self.new[:-1])


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
