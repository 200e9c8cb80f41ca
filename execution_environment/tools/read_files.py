"""read_files: several files in one call."""

from typing import Annotated

from pydantic import Field

from common.errors import Problem, ToolError
from common.tools import touching
from execution_environment.toolkit.tool import Output, tool
from execution_environment.toolkit.windows import FileContent, Window, read
from execution_environment.workspace.reader import Reader

MAX_FILES = 100


class ReadFilesArguments(Window):
    """The same window of every file."""

    paths: Annotated[list[str], Field(min_length=1, max_length=MAX_FILES), touching("path")]
    """The files, relative to the workspace."""


class NamedContent(FileContent):
    """What read_file returns."""

    path: str


class NamedError(Output):
    """Why a file could not be read."""

    path: str
    error: Problem


class FilesContent(Output):
    """One item for each path, in their order."""

    files: list[NamedContent | NamedError]


@tool(effect="read")
def read_files(arguments: ReadFilesArguments, reader: Reader) -> FilesContent:
    """Read several files at once, or the same part of each. Use it instead of many read_file.

    One that fails does not stop the others; all together are bounded like one read.
    """
    files: list[NamedContent | NamedError] = []
    left = reader.limits.max_read
    for path in arguments.paths:
        item = _read(path, arguments, left, reader)
        files.append(item)
        left -= len(item.content.encode()) if isinstance(item, NamedContent) else 0
    return FilesContent(files=files)


def _read(path: str, window: Window, limit: int, reader: Reader) -> NamedContent | NamedError:
    try:
        _require_room(limit)
        content = read(path, window, limit, reader)
    except ToolError as error:
        error.add_context(tool="read_files", path=path)
        return NamedError(path=path, error=error.problem("execution_environment", None))
    return NamedContent(path=path, **content.model_dump())


def _require_room(left: int) -> None:
    if left <= 0:
        raise ToolError("output_too_large", "The files before this one took all the room")
