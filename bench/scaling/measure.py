"""Measures what there is to be told of growth."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from rich.table import Table

from agentic.local.stack import running_stack
from bench.options import Options
from bench.report import Report
from bench.scaling.curve import table
from bench.scaling.processes import measure_processes
from bench.scaling.sessions import measure_followers_of_one, measure_sessions
from bench.scaling.workspaces import measure_history, measure_shapes, prepare_shapes
from bench.ways.ours import straight
from bench.ways.way import prepare


async def measure_scaling(directory: Path, options: Options) -> Sequence[Report | Table]:
    """Measure costs against sizes, then one process and two."""
    rounds, root = options.rounds, directory / "one" / "execution" / "workspaces" / "local"
    prepare(root)
    await asyncio.to_thread(prepare_shapes, root)
    async with (
        running_stack(directory / "one") as stack,
        straight(stack) as ours,
        aiohttp.ClientSession(stack.url) as http,
    ):
        port = urlsplit(stack.url).port or 0
        curves = [
            *await measure_shapes(ours, rounds),
            await measure_history(ours, rounds),
            await measure_sessions(http, rounds),
            await measure_followers_of_one(http, port, rounds),
        ]
    return [table(curves), await measure_processes(directory, rounds)]
