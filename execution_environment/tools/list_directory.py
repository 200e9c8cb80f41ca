"""list_directory: what is in a directory, page by page."""

from typing import Annotated

from pydantic import Field

from common.tools import touching
from execution_environment.toolkit.listing import DirectoryPage, after, page_of
from execution_environment.toolkit.tool import Arguments, tool
from execution_environment.workspace.reader import Reader


class ListDirectoryArguments(Arguments):
    """`depth` 1 lists the directory itself; `cursor` is the last page's `next_cursor`."""

    path: Annotated[str, touching("tree", depth=1)] = "."
    """The directory, relative to the workspace."""
    depth: Annotated[int, Field(ge=1, le=100)] = 1
    """Levels to go down; 1: its own entries only."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    """Entries on a page."""
    cursor: str | None = None
    """The last page's `next_cursor`, for the next page."""


@tool(effect="read")
def list_directory(arguments: ListDirectoryArguments, reader: Reader) -> DirectoryPage:
    """List what is in a directory, ordered by path. Use it to see what there is before you read."""
    found = reader.walk(arguments.path, arguments.depth, after(arguments.cursor))
    return page_of(found, arguments.limit)
