"""search_files: where a pattern occurs, with the lines around it."""

from typing import Annotated

from pydantic import Field

from execution_environment.sandbox.walking import Entry
from execution_environment.toolkit.patterns import Glob
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.search import Query


class SearchFilesArguments(Arguments):
    """`pattern` follows RE2, or is plain text with `literal`; `context` counts lines."""

    pattern: Annotated[str, Field(min_length=1, max_length=10_000)]
    path: str = "."
    glob: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    literal: bool = False
    ignore_case: bool = False
    context: Annotated[int, Field(ge=0, le=20)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


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
    """Search text files line by line for a pattern, in order of their paths.

    Lines are shown to 500 characters, and a mebibyte of them at most; all occurrences are counted.
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


def _files(arguments: SearchFilesArguments, reader: Reader) -> list[Entry]:
    base, entries = reader.files_beneath(arguments.path)
    return Glob(arguments.glob, base).among(entries, reader.limits)
