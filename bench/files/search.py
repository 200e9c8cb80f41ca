"""What a search through 10,000 files costs, beside ripgrep on the same tree.

`rg -uuu` looks at every file, as we do. It prints all matches; we count all, and return a thousand at most.
"""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from agentic.local.stack import running_stack
from bench.files.trees import make_tree
from bench.options import Options
from bench.report import Bar, Line, Report
from bench.rounds import Figure, Request, one_by_one
from bench.ways.ours import Ours, straight

FILES, SIZE = 10_000, 116_000_000
EACH = 1
MOST = 1000
PATTERNS = {"a pattern of few lines": "getopt_long_only|4711$", "a pattern of most files": "def "}
PROGRAM = "rg"
MISSING = f"{PROGRAM} is not on the PATH: there is nothing to compare with (ripgrep)"
PLACE = "bench"


async def measure_search(directory: Path, options: Options) -> list[Report]:
    """Measure searches, in turn with ripgrep's."""
    tree = directory / "execution" / "workspaces" / "local" / PLACE
    await asyncio.to_thread(make_tree, tree, FILES, SIZE)
    program = shutil.which(PROGRAM)
    async with running_stack(directory) as stack, straight(stack) as ours:
        ways = {name: _ours(ours, pattern) for name, pattern in PATTERNS.items()}
        if program is not None:
            ways |= {_peer(what): _ripgrep(program, PATTERNS[what], tree) for what in PATTERNS}
        figures = await one_by_one(ways, options.rounds, EACH)
    title = f"search_files: {FILES:,} files, {SIZE // 1_000_000} MB, {MOST:,} matches at most"
    return [Report(title, _lines(figures), MISSING if program is None else "")]


def _peer(what: str) -> str:
    return f"{what}, {PROGRAM} -uuu"


def _lines(figures: Mapping[str, Figure]) -> list[Line]:
    """Return the figures, each beside ripgrep's where there is one."""
    lines = []
    for what in PATTERNS:
        floor = figures.get(_peer(what))
        lines += [] if floor is None else [Line(floor)]
        bar = None if floor is None else Bar(2, is_of_floor=True)
        lines.append(Line(figures[what], floor, bar))
    return lines


def _ours(ours: Ours, pattern: str) -> Request:
    return ours.calling("search_files", PLACE, lambda: {"pattern": pattern, "limit": MOST})


def _ripgrep(program: str, pattern: str, tree: Path) -> Request:
    options = ["-uuu", "--no-config", "--line-number", "--column", "--no-heading"]

    async def request() -> None:
        process = await asyncio.create_subprocess_exec(
            program, *options, pattern, str(tree), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        while await process.stdout.read(2**20):
            pass
        assert await process.wait() == 0

    return request
