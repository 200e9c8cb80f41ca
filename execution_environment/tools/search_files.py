"""search_files: where a pattern occurs, with the lines around it."""

from collections.abc import Iterator
from typing import Annotated, Any

import re2
from pydantic import Field

from common.errors import ToolError
from common.globs import compile_pattern
from execution_environment.patterns import Glob, named
from execution_environment.sandbox.walking import Entry
from execution_environment.sandbox.workspace import Workspace
from execution_environment.tool import Arguments, Output, tool

MAX_LINE = 500
"""Characters of a line that are shown."""
DEADLINE_INTERVAL = 1000
"""Matches between two looks at the clock."""


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
def search_files(arguments: SearchFilesArguments, workspace: Workspace) -> SearchResult:
    """Search text files line by line for a pattern, in order of their paths."""
    pattern = _compile(arguments)
    matches: list[Match] = []
    total = searched = skipped = 0
    for entry in _files(arguments, workspace):
        data = _text_of(entry, workspace)
        if data is None:
            skipped += 1
            continue
        searched += 1
        for found in pattern.finditer(data):
            total += 1
            if len(matches) < arguments.limit:
                matches.append(_match(entry.path, data, found.start(), arguments.context))
            if total % DEADLINE_INTERVAL == 0:
                workspace.bounds.check_deadline()
    return SearchResult(
        matches=matches,
        total=total,
        files_searched=searched,
        files_skipped=skipped,
        truncated=total > len(matches),
    )


def _compile(arguments: SearchFilesArguments) -> Any:
    pattern = re2.escape(arguments.pattern) if arguments.literal else arguments.pattern
    with named("pattern"):
        compile_pattern(pattern)  # alone, so that the error shows it as it was given
        return compile_pattern(f"(?m:{pattern})", ignore_case=arguments.ignore_case, by_line=True)


def _files(arguments: SearchFilesArguments, workspace: Workspace) -> Iterator[Entry]:
    base, entries = workspace.files_beneath(arguments.path)
    glob = Glob(arguments.glob, base)
    return (entry for entry in entries if glob.matches(entry.path))


def _text_of(entry: Entry, workspace: Workspace) -> bytes | None:
    """Return a file's text, or None for one that is binary, too large, or gone meanwhile."""
    try:
        data = workspace.snapshot(entry.path, workspace.bounds.max_read).data
        if data is None or b"\0" in data:
            return None
        data.decode()
    except (ToolError, UnicodeDecodeError):
        return None
    return data.replace(b"\r\n", b"\n")


def _match(path: str, data: bytes, position: int, context: int) -> Match:
    start = data.rfind(b"\n", 0, position) + 1
    end = data.find(b"\n", position)
    end = len(data) if end < 0 else end
    before = data[:start].decode().split("\n")[:-1] if context else []
    after = data[end + 1 :].decode().split("\n") if context and end < len(data) else []
    return Match(
        path=path,
        line=data.count(b"\n", 0, position) + 1,
        column=len(data[start:position].decode()) + 1,
        text=data[start:end].decode()[:MAX_LINE],
        before=[line[:MAX_LINE] for line in before[-context:]],
        after=[line[:MAX_LINE] for line in after[:context]],
    )
