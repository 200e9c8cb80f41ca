"""list_directory: what is in a directory, page by page."""

import bisect
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from common.models import UtcTime
from execution_environment.sandbox.descriptors import kind
from execution_environment.sandbox.names import parse
from execution_environment.sandbox.walking import Entry
from execution_environment.sandbox.workspace import Workspace
from execution_environment.tool import Arguments, Output, tool


class ListDirectoryArguments(Arguments):
    """`depth` 1 lists the directory itself; `cursor` is the last page's `next_cursor`."""

    path: str = "."
    depth: Annotated[int, Field(ge=1, le=100)] = 1
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    cursor: str | None = None


class DirectoryEntry(Output):
    """Links and special files are listed, and cannot be used."""

    path: str
    type: str
    size: int
    modified_at: UtcTime


class DirectoryPage(Output):
    """Entries ordered by the bytes of their paths."""

    entries: list[DirectoryEntry]
    next_cursor: str | None


@tool(effect="read")
def list_directory(arguments: ListDirectoryArguments, workspace: Workspace) -> DirectoryPage:
    """Return the entries of a directory, to a depth, ordered by path."""
    found = workspace.walk(arguments.path, arguments.depth)
    first = 0
    if arguments.cursor is not None:
        first = bisect.bisect_right(found, b"/".join(parse(arguments.cursor)), key=_order)
    page = found[first : first + arguments.limit]
    is_last = first + arguments.limit >= len(found)
    return DirectoryPage(
        entries=[_entry(item) for item in page],
        next_cursor=None if is_last else page[-1].path,
    )


def _order(entry: Entry) -> bytes:
    return b"/".join(entry.parts)


def _entry(item: Entry) -> DirectoryEntry:
    return DirectoryEntry(
        path=item.path,
        type=kind(item.status.st_mode),
        size=item.status.st_size,
        modified_at=datetime.fromtimestamp(item.status.st_mtime, UTC),
    )
