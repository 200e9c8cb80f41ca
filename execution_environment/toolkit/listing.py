"""Pages of directory entries: what list_directory and find_files return."""

import itertools
from collections.abc import Iterable

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


def after(cursor: str | None) -> bytes:
    """Return the path behind which a page begins: the last one that was seen.

    An empty cursor is none: models write it so.
    """
    return b"/".join(parse(cursor)) if cursor else b""


def page_of(found: Iterable[Entry], limit: int) -> DirectoryPage:
    """Return so many entries; no more is asked for than shows whether there are others."""
    page = list(itertools.islice(found, limit + 1))
    is_last = len(page) <= limit
    return DirectoryPage(
        entries=[_entry(item) for item in page[:limit]],
        next_cursor=None if is_last else page[limit - 1].path,
    )


def _entry(item: Entry) -> DirectoryEntry:
    return DirectoryEntry(
        path=item.path,
        type=kind(item.status.st_mode),
        size=item.status.st_size,
        modified_at=modified_at(item.status),
    )
