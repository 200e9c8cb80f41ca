"""read_file: a text or binary file, or a window of it."""

from execution_environment.toolkit.tool import tool
from execution_environment.toolkit.windows import FileContent, Window, read
from execution_environment.workspace.reader import Reader


class ReadFileArguments(Window):
    """The window's `start_line` and `max_lines`, or its `offset` and `max_bytes`."""

    path: str


@tool(effect="read")
def read_file(arguments: ReadFileArguments, reader: Reader) -> FileContent:
    """Return a file, or a window of its lines (counted from 1) or of its bytes.

    The hash takes reading all of it: without `hash`, a window of a huge file is there at once.
    """
    return read(arguments.path, arguments, reader.limits.max_read, reader)
