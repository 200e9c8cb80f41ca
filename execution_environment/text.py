"""Text files: byte order marks, line endings, closest matches, diffs."""

import codecs
import difflib
import re
from dataclasses import dataclass

from common.errors import ToolError
from execution_environment.quoting import header, quoted

MAX_DIFF_LINES = 4000
MAX_DIFF = 64 * 1024
"""Characters of what is compared: a diff is kept with its call's result."""
MAX_CANDIDATES = 2000
"""Lines compared to make a diff, and lines looked at for the closest match."""
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
    """Return a hint with the line most like the first line of a text that was not found."""
    first = next((line for line in wanted.splitlines() if line.strip()), "")
    lines = content.splitlines()[:MAX_CANDIDATES]
    match = difflib.get_close_matches(first, lines, n=1, cutoff=0.6)
    if not match:
        return None
    return f"Line {lines.index(match[0]) + 1} comes closest: {match[0][:200]!r}"


def diff(path: str, before: bytes | None, after: bytes) -> str:
    """Return a unified diff, from nothing when `before` is None.

    What is binary, or too long to compare, gives one line that says so.
    """
    try:
        old, new = _lines(before or b""), _lines(after)
    except UnicodeDecodeError:
        return f"Binary file {quoted(path)} differs\n"
    first, last = _differing(old, new)
    old, new = old[first : len(old) - last], new[first : len(new) - last]
    if len(old) + len(new) > MAX_DIFF_LINES or sum(map(len, (*old, *new))) > MAX_DIFF:
        return too_long(path)
    old_name = "/dev/null" if before is None else header("a/", path)
    changes = difflib.unified_diff(old, new, old_name, header("b/", path))
    lines = (_moved(line, first) for line in changes)
    return "".join(line if line.endswith("\n") else f"{line}{_NO_NEWLINE}" for line in lines)


def _lines(data: bytes) -> list[str]:
    return _LINE.findall(data.decode())


def _differing(old: list[str], new: list[str]) -> tuple[int, int]:
    """Return how many lines need no comparing at the start and at the end: all but the context."""
    most = min(len(old), len(new))
    start = next((n for n in range(most) if old[n] != new[n]), most)
    end = next((n for n in range(most - start) if old[-1 - n] != new[-1 - n]), most - start)
    return max(start - CONTEXT, 0), max(end - CONTEXT, 0)


def _moved(line: str, by: int) -> str:
    """Return a line of a diff; in the head of a hunk, with line numbers moved on."""
    if by == 0 or not line.startswith("@@ "):
        return line
    return _HUNK.sub(lambda number: number[1] + str(int(number[2]) + by), line)


def too_long(path: str) -> str:
    """Return what stands for a diff that is too long."""
    return f"File {quoted(path)} differs: too long to compare\n"
