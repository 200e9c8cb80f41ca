"""find_files: what is called how, page by page."""

import stat
from typing import Annotated, Literal

from pydantic import Field

from common.files.paths import parse, show_path
from common.tools import touching
from execution_environment.sandbox.walking import Entry
from execution_environment.toolkit.listing import DirectoryPage, after, page_of
from execution_environment.toolkit.patterns import Glob
from execution_environment.toolkit.tool import Arguments, tool
from execution_environment.workspace.reader import Reader

Kind = Literal["file", "directory"]


class FindFilesArguments(Arguments):
    """`glob` knows `*`, `?`, `[…]` and `**`; without a slash it matches names."""

    glob: Annotated[str, Field(min_length=1, max_length=1000)]
    """Such as `*.py`: a name, at any depth. With a slash a path: `**/test/*.py`."""
    path: Annotated[str, touching("tree")] = "."
    """The directory to look in, relative to the workspace."""
    type: Kind | None = None
    """Only files, or only directories."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    """Entries on a page."""
    cursor: str | None = None
    """The last page's `next_cursor`, for the next page."""


@tool(effect="read")
def find_files(arguments: FindFilesArguments, reader: Reader) -> DirectoryPage:
    """Find files and directories by name, with a glob. Use it when you don't know where a file is."""
    glob = Glob(arguments.glob, show_path(parse(arguments.path)))
    entries = reader.walk(arguments.path, None, after(arguments.cursor))
    of_kind = (entry for entry in entries if _is_a(arguments.type, entry))
    return page_of(glob.among(of_kind, reader.limits), arguments.limit)


def _is_a(wanted: Kind | None, entry: Entry) -> bool:
    if wanted is None:
        return True
    is_kind = stat.S_ISREG if wanted == "file" else stat.S_ISDIR
    return is_kind(entry.status.st_mode)
