"""Text files: byte order marks, line endings, closest matches. Knows nothing of paths."""

import codecs
from dataclasses import dataclass

from common.errors import ToolError
from execution_environment.workspace.similarity import most_similar

MAX_HINTED = 256 * 1024
"""Characters in which the closest line is looked for."""
FIRST = 10
SHOWN = 100
"""Lines that are shown where none comes close, and characters of each."""
_BOM = codecs.BOM_UTF8


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


def closest(content: str, wanted: str) -> str:
    """Return a hint with the line most like the first line of a text that was not found.

    Where none is like it, with the first lines: whoever made the text up has not read the file. Only
    the beginning of both is looked at.
    """
    first = next((line for line in wanted[:MAX_HINTED].splitlines() if line.strip()), "")
    lines = content[:MAX_HINTED].splitlines()
    best = most_similar(first, lines)
    if best is not None:
        return f"Line {best + 1} comes closest: {lines[best][:200]!r}"
    if not lines:
        return "The file is empty: insert lines, or write it."
    shown = "; ".join(f"{n} {line[:SHOWN]!r}" for n, line in enumerate(lines[:FIRST], 1))
    return f"Read the file and copy old_text from it exactly. Its first lines: {shown}"
