"""Windows of files: what read_file and read_files ask for and return."""

import base64
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from common.tools import FOR_PROGRAMS
from execution_environment.toolkit import text
from execution_environment.toolkit.tool import Arguments, Output
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.slices import Bytes, Lines


class Window(Arguments):
    """A window is given by lines, counted from 1, or by bytes.

    Without `hash` no more of the file is read than the window needs.
    """

    start_line: Annotated[int, Field(ge=0), AfterValidator(lambda line: max(line, 1))] = 1
    """First line to return, counted from 1; 0 is the first one too."""
    max_lines: Annotated[int, Field(ge=1)] | None = None
    """Lines to return, fewer where the file ends before; unset: all that fit."""
    offset: Annotated[int, Field(ge=0)] | None = None
    """First byte, counted from 0; not together with lines."""
    max_bytes: Annotated[int, Field(ge=1)] | None = None
    """Bytes to return; not together with lines."""
    encoding: Literal["utf-8", "base64"] = "utf-8"
    """How to return it: base64 for binary files."""
    hash: Annotated[bool, Field(json_schema_extra={FOR_PROGRAMS: True})] = True
    """Return the SHA-256 too; false is faster for huge files."""

    @model_validator(mode="after")
    def _one_kind_of_window(self) -> Self:
        by_lines = self.max_lines is not None or self.start_line > 1
        if by_lines and (self.offset is not None or self.max_bytes is not None):
            raise ValueError("give a window either by lines or by bytes")
        return self

    def within(self, limit: int) -> Lines | Bytes:
        """Return the window, no larger than so many bytes."""
        if self.offset is not None or self.max_bytes is not None:
            return Bytes(self.offset or 0, min(self.max_bytes or limit, limit))
        return Lines(self.start_line, self.max_lines, limit)


class FileContent(Output):
    """`size` and `sha256` are the whole file's; `truncated` says that more of it follows.

    Without `hash`, what only the whole file could tell is null: `sha256`, `total_lines`, and the
    lines of a window by bytes that does not begin with the file.
    """

    content: str
    encoding: Literal["utf-8", "base64"]
    start_line: int | None
    end_line: int | None
    total_lines: int | None
    size: int
    sha256: str | None
    truncated: bool


def read(path: str, window: Window, limit: int, reader: Reader) -> FileContent:
    """Read a window of a file, of at most `limit` bytes."""
    as_text = window.encoding == "utf-8"
    part = reader.read(path, window.within(limit), as_text=as_text, is_hashed=window.hash)
    content = text.to_str(part.data, path) if as_text else base64.b64encode(part.data).decode()
    return FileContent(
        content=content,
        encoding=window.encoding,
        start_line=part.start_line,
        end_line=part.end_line,
        total_lines=part.total_lines,
        size=part.size,
        sha256=part.sha256,
        truncated=part.truncated,
    )
