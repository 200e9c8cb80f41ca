"""What it costs to list many files, a page at a time, and how much memory that takes.

The floor is `find | sort` over the same directories.
"""

import asyncio
from pathlib import Path

from agentic.local.stack import Stack, running_stack
from bench.options import Options
from bench.processes import peak_memory, pid_of, reset_peak
from bench.report import Line, Report
from bench.rounds import Figure, Request, one_by_one
from bench.ways.ours import Ours, straight

SIZES = (10_000, 100_000)
NOTE = "find | sort tells all at once. The peaks are of whole listings, above what the server had at first."
PAGE = 1000
"""Entries on a page: as many as there may be."""


def make_files(directory: Path, count: int) -> None:
    """Make so many empty files, a thousand to a directory."""
    for start in range(0, count, 1000):
        part = directory / f"{start // 1000:03}"
        part.mkdir(parents=True)
        for number in range(start, start + 1000):
            (part / f"{number:06}").touch()


async def measure_listing(directory: Path, options: Options) -> list[Report]:
    """Measure a page from the middle of two sizes, and the peak of the server's memory over all pages."""
    workspaces = directory / "execution" / "workspaces" / "local"
    for count in SIZES:
        await asyncio.to_thread(make_files, workspaces / str(count), count)
    async with running_stack(directory) as stack, straight(stack) as ours:
        peaks = await _peaks(stack, ours)
        ways: dict[str, Request] = {}
        for count in SIZES:
            ways[f"find | sort, {count:,} files"] = _finding(workspaces / str(count))
            ways[f"a page of {PAGE:,} of {count:,} files"] = _middle_page(ours, count)
        figures = list((await one_by_one(ways, options.rounds, 1)).values())
    floors, pages = figures[::2], figures[1::2]
    lines = [Line(*both) for both in zip(pages, floors, strict=True)]
    lines = [*map(Line, floors), *lines, *map(Line, peaks)]
    return [Report("list_directory, a page at a time", lines, NOTE)]


async def list_all(ours: Ours, count: int) -> None:
    """Ask for page after page, to the last."""
    cursor, seen = None, 0
    while True:
        asked = {"depth": 2, "limit": PAGE, "cursor": cursor}
        page = await ours.result("list_directory", str(count), asked)
        seen += len(page["entries"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == count + count // 1000, f"{seen} entries of {count} files"


def _middle_page(ours: Ours, count: int) -> Request:
    cursor = f"{count // 2000 - 1:03}/{count // 2 - 1:06}"
    asked = {"depth": 2, "limit": PAGE, "cursor": cursor}
    return ours.calling("list_directory", str(count), lambda: asked)


def _finding(tree: Path) -> Request:
    async def find() -> None:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", 'find "$0" -printf "%P %y %s %T@\\n" | LC_ALL=C sort > /dev/null', str(tree)
        )
        assert await process.wait() == 0

    return find


async def _peaks(stack: Stack, ours: Ours) -> list[Figure]:
    """List all; return how far the peak of the server's memory is above what it had at first."""
    pid = pid_of(stack, "execution_environment")
    first, figures = peak_memory(pid), []
    for count in SIZES:
        reset_peak(pid)
        await list_all(ours, count)
        name = f"peak memory, {count:,} files"
        figures.append(Figure(name, "MiB", [peak_memory(pid) - first]))
    return figures
