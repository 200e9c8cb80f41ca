"""`make bench`: measures beside a floor in the same run.

`python -m bench PART …` measures some parts alone: `steps`, `approvals`, `followers`,
`models`, `directories`, `mcp`.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.approvals import measure_approvals
from bench.directories import measure_directories
from bench.followers import measure_followers
from bench.mcp import measure_mcp
from bench.models.measure import measure_models
from bench.models.report import breakdown, summary
from bench.steps import measure_steps


def steps(directory: Path) -> list[Table]:
    """Measure steps and durable writes."""
    return [asyncio.run(measure_steps(directory))]


def approvals(directory: Path) -> list[Table]:
    """Measure what asking people costs."""
    return [uvloop.run(measure_approvals(directory))]


def followers(directory: Path) -> list[Table]:
    """Measure a thousand followers."""
    return [uvloop.run(measure_followers(directory))]


def mcp(directory: Path) -> list[Table]:
    """Measure calls over MCP."""
    return [uvloop.run(measure_mcp(directory))]


def models(directory: Path) -> list[Table]:
    """Measure runs that a model decides."""
    figures = uvloop.run(measure_models(directory))
    return [summary(figures), breakdown(figures)]


def directories(directory: Path) -> list[Table]:
    """Measure a directory on its way out and back."""
    directory.mkdir()
    return [uvloop.run(measure_directories(directory))]


PARTS = {part.__name__: part for part in (steps, approvals, followers, models, directories, mcp)}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; none: all")
    wanted = parser.parse_args().parts or list(PARTS)
    if unknown := [part for part in wanted if part not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}: there are {', '.join(PARTS)}")
    for part in wanted:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            for found in PARTS[part](Path(scratch, part)):
                Console(width=100).print(found)


main()
