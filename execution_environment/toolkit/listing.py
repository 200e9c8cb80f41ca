"""Pages of directory entries: what list_directory and find_files return."""

import bisect
from collections.abc import Sequence

from common.files.paths import parse
from common.models import UtcTime
from execution_environment.sandbox.descriptors import kind
from execution_environment.sandbox.walking import Entry
from execution_environment.toolkit.tool import Output
from execution_environment.workspace.streams import modified_at


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


def page_of(found: Sequence[Entry], limit: int, cursor: str | None) -> DirectoryPage:
    """Return the entries that follow the cursor, which is the last path that was seen.

    An empty one is none: models write it so.
    """
    first = 0
    if cursor:
        first = bisect.bisect_right(found, b"/".join(parse(cursor)), key=_order)
    page = found[first : first + limit]
    is_last = first + limit >= len(found)
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
        modified_at=modified_at(item.status),
    )
