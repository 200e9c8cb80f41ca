"""list_directory: what is in a directory, page by page."""

from typing import Annotated

from pydantic import Field

from execution_environment.toolkit.listing import DirectoryPage, page_of
from execution_environment.toolkit.tool import Arguments, tool
from execution_environment.workspace.reader import Reader


class ListDirectoryArguments(Arguments):
    """`depth` 1 lists the directory itself; `cursor` is the last page's `next_cursor`."""

    path: str = "."
    depth: Annotated[int, Field(ge=1, le=100)] = 1
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    cursor: str | None = None


@tool(effect="read")
def list_directory(arguments: ListDirectoryArguments, reader: Reader) -> DirectoryPage:
    """Return the entries of a directory, to a depth, ordered by path."""
    found = reader.walk(arguments.path, arguments.depth)
    return page_of(found, arguments.limit, arguments.cursor)
