"""Listings that come in pages, entry by entry."""

from collections.abc import AsyncIterator
from typing import Any

from pydantic import JsonValue

from agentic.harnesses.calls import Calls

PAGE = 1000
"""Entries that one call brings at most."""


async def entries_of(
    calls: Calls, tool: str, **arguments: JsonValue
) -> AsyncIterator[dict[str, Any]]:
    """Yield the entries of `list_directory` or `find_files`: path, type, size and `modified_at`."""
    cursor: str | None = None
    while True:
        page: dict[str, Any] = await calls.make(tool, limit=PAGE, cursor=cursor, **arguments)
        for entry in page["entries"]:
            yield entry
        cursor = page["next_cursor"]
        if cursor is None:
            return
