"""Text files: byte order marks, line endings, closest matches, diffs."""

import codecs
import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass

from common.errors import ToolError
from execution_environment.quoting import header, quoted
from execution_environment.sandbox.guessing import most_similar

MAX_DIFF_LINES = 4000
MAX_DIFF = 64 * 1024
"""Characters of what is compared: a diff is kept with its call's result."""
MAX_HINTED = 256 * 1024
"""Characters in which the closest line is looked for."""
CONTEXT = 3
"""Lines that a diff shows around a change."""
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_HUNK = re.compile(r"([-+])(\d+)")
_BOM = codecs.BOM_UTF8
_NO_NEWLINE = "\n\\ No newline at end of file\n"


@dataclass(frozen=True)
class Text:
    """A decoded file; `encode` gives its bytes back with its own mark and line endings."""

    content: str
    has_bom: bool
    has_crlf: bool

    def encode(self, content: str) -> bytes:
        """Return new content as bytes of the same form."""
        text = content.replace("\n", "\r\n") if self.has_crlf else content
        return (_BOM if self.has_bom else b"") + text.encode()

    def normalise(self, text: str) -> str:
        """Return text to look for, or to put in, with the line endings that `content` has."""
        return text.replace("\r\n", "\n") if self.has_crlf else text


def to_str(data: bytes, path: str) -> str:
    """Decode UTF-8, without its byte order mark; raise `binary_file` for anything else."""
    try:
        return data.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise ToolError(
            "binary_file", f"'{path}' is not UTF-8 text (byte {error.start})", path=path
        ) from error


def decode(data: bytes, path: str) -> Text:
    """Decode a file that is to be edited; raise `binary_file`.

    Where every line ends with CRLF, `content` has plain newlines; mixed endings stay as they are.
    """
    content = to_str(data, path)
    has_crlf = "\r\n" in content and content.count("\r\n") == content.count("\n")
    plain = content.replace("\r\n", "\n") if has_crlf else content
    return Text(plain, data.startswith(_BOM), has_crlf)


def line_numbers(content: str, wanted: str, most: int = 10) -> list[int]:
    """Return the lines on which a text begins, at most so many."""
    numbers: list[int] = []
    position = content.find(wanted)
    while position >= 0 and len(numbers) < most:
        numbers.append(content.count("\n", 0, position) + 1)
        position = content.find(wanted, position + max(len(wanted), 1))
    return numbers


def closest(content: str, wanted: str) -> str | None:
    """Return a hint with the line most like the first line of a text that was not found.

    Only the beginning of both is looked at.
    """
    first = next((line for line in wanted[:MAX_HINTED].splitlines() if line.strip()), "")
    lines = content[:MAX_HINTED].splitlines()
    best = most_similar(first, lines)
    return None if best is None else f"Line {best + 1} comes closest: {lines[best][:200]!r}"


def diff(path: str, before: bytes | None, after: bytes) -> str:
    """Return a unified diff, from nothing when `before` is None.

    What is binary, or too long to compare, gives one line that says so.
    """
    try:
        old, new = (before or b"").decode(), after.decode()
    except UnicodeDecodeError:
        return f"Binary file {quoted(path)} differs\n"
    start, end = _differing(old, new)
    if len(old) + len(new) - 2 * (start + end) > MAX_DIFF:
        return too_long(path)
    first = old.count("\n", 0, start)
    old_lines = _LINE.findall(old, start, len(old) - end)
    new_lines = _LINE.findall(new, start, len(new) - end)
    if len(old_lines) + len(new_lines) > MAX_DIFF_LINES:
        return too_long(path)
    old_name = "/dev/null" if before is None else header("a/", path)
    found = difflib.unified_diff(old_lines, new_lines, old_name, header("b/", path))
    lines = (_moved(line, first) for line in found)
    return "".join(line if line.endswith("\n") else f"{line}{_NO_NEWLINE}" for line in lines)


def _differing(old: str, new: str) -> tuple[int, int]:
    """Return how many characters need no comparing at the start and at the end: whole lines.

    Those that the diff shows around the change are left.
    """
    most = min(len(old), len(new))
    start = _shared(most, lambda low, high: old[low:high] == new[low:high])
    end = _shared(
        most - start,
        lambda low, high: old[len(old) - high : len(old) - low]
        == new[len(new) - high : len(new) - low],
    )
    start = old.rfind("\n", 0, start) + 1
    for _ in range(CONTEXT):
        start = old.rfind("\n", 0, max(start - 1, 0)) + 1
    is_line = all(text[len(text) - end - 1 : len(text) - end] in ("\n", "") for text in (old, new))
    for _ in range(CONTEXT if is_line else CONTEXT + 1):
        end = len(old) - (old.find("\n", len(old) - end) + 1 or len(old))
    return start, end


def _shared(most: int, is_same: Callable[[int, int], bool]) -> int:
    """Return up to where two texts are the same, by halves: none is compared twice."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if is_same(low, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _moved(line: str, by: int) -> str:
    """Return a line of a diff; in the head of a hunk, with line numbers moved on."""
    if by == 0 or not line.startswith("@@ "):
        return line
    return _HUNK.sub(lambda number: number[1] + str(int(number[2]) + by), line)


def too_long(path: str) -> str:
    """Return what stands for a diff that is too long."""
    return f"File {quoted(path)} differs: too long to compare\n"
