"""search_files: where a pattern occurs, with the lines around it."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from common.tools import touching
from execution_environment.sandbox.walking import Entry
from execution_environment.toolkit.patterns import Glob
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.search import Query


class SearchFilesArguments(Arguments):
    """`pattern` follows RE2, or is plain text with `literal`; `context` counts lines."""

    pattern: Annotated[str, Field(min_length=1, max_length=10_000)]
    """A regular expression (RE2), matched within one line."""
    path: Annotated[str, touching("tree")] = "."
    """The directory or file to search, relative to the workspace."""
    glob: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """Only files that match, such as `*.py`."""
    literal: bool = False
    """Take `pattern` as plain text."""
    ignore_case: bool = False
    """Let case not matter."""
    context: Annotated[int, Field(ge=0, le=20)] = 0
    """Lines to show before and after each match."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """Matches to show; all are counted."""


class Match(Output):
    """One occurrence. `column` counts characters from 1; `before` and `after` are whole lines."""

    path: str
    line: int
    column: int
    text: str
    before: list[str]
    after: list[str]


class SearchResult(Output):
    """`total` counts all occurrences; binary and overlong files are among `files_skipped`."""

    matches: list[Match]
    total: int
    files_searched: int
    files_skipped: int
    truncated: bool


@tool(effect="read")
def search_files(arguments: SearchFilesArguments, reader: Reader) -> SearchResult:
    """Search the text of files for a pattern. Use it to find where something is, or to count it.

    Lines are shown to 500 characters.
    """
    query = Query(
        arguments.pattern,
        arguments.literal,
        arguments.ignore_case,
        arguments.context,
        arguments.limit,
    )
    matches: list[Match] = []
    total = searched = skipped = 0
    for entry, found in reader.search(query, _files(arguments, reader)):
        if found is None:
            skipped += 1
            continue
        searched += 1
        total += found["total"]
        matches += (Match(path=entry.path, **item) for item in found["shown"])
    return SearchResult(
        matches=matches,
        total=total,
        files_searched=searched,
        files_skipped=skipped,
        truncated=total > len(matches),
    )


def _files(arguments: SearchFilesArguments, reader: Reader) -> Iterator[Entry]:
    base, entries = reader.files_beneath(arguments.path)
    return Glob(arguments.glob, base).among(entries, reader.limits)
