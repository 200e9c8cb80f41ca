"""read_file: a text or binary file, or a window of it."""

from typing import Annotated

from common.tools import touching
from execution_environment.toolkit.tool import tool
from execution_environment.toolkit.windows import FileContent, Window, read
from execution_environment.workspace.reader import Reader


class ReadFileArguments(Window):
    """The window's `start_line` and `max_lines`, or its `offset` and `max_bytes`."""

    path: Annotated[str, touching("path")]
    """The file, relative to the workspace."""


@tool(effect="read")
def read_file(arguments: ReadFileArguments, reader: Reader) -> FileContent:
    """Read a file, or a part of it by lines or bytes. Use it before you change or describe one.

    `truncated` in the answer says that more follows.
    """
    return read(arguments.path, arguments, reader.limits.max_read, reader)
