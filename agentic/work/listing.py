"""Lists for people and for scripts: pages put together, and columns."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from agentic.terminal.output import Output
from agentic.terminal.show import Display
from common.models import Page

T = TypeVar("T")
PAGE = 50


async def each(
    read: Callable[[int, str | None], Awaitable[Page[T]]], size: int = PAGE
) -> AsyncGenerator[T]:
    """Yield what is on all pages, each read when it is needed."""
    cursor = None
    while True:
        page = await read(size, cursor)
        for item in page.items:
            yield item
        cursor = page.next_cursor
        if cursor is None:
            return


async def print_list(
    items: AsyncIterator[T],
    columns: Callable[[T], Sequence[str]],
    *,
    limit: int | None,
    is_json: bool,
) -> None:
    """Print the first items, or all without a limit: a JSON array, or a line each in columns."""
    shown, has_more = await _first(items, limit)
    if is_json:
        Output().json(shown)
        return
    display = Display(Output())
    for line in _aligned([[_inline(cell) for cell in columns(item)] for item in shown]):
        display.line(line)
    if has_more:
        Display(Output(stderr=True)).line(f"the first {limit}; --all shows the others", "dim")


async def _first(items: AsyncIterator[T], limit: int | None) -> tuple[list[T], bool]:
    shown: list[T] = []
    async for item in items:
        if len(shown) == limit:
            return shown, True
        shown.append(item)
    return shown, False


def _inline(cell: str) -> str:
    """Return a cell that is one line: names and goals may have line breaks."""
    return cell.replace("\n", "\\n").replace("\t", "\\t")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
