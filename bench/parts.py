"""The parts of the bench, by name: each takes a directory that is not there yet, and returns its reports."""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.approvals import measure_approvals
from bench.calls import measure_calls
from bench.files.archives import measure_archives
from bench.files.directories import measure_directories
from bench.files.listing import measure_listing
from bench.files.search import measure_search
from bench.following.followers import measure_followers
from bench.mcp import measure_mcp
from bench.models.measure import measure_models
from bench.options import Options
from bench.report import Report
from bench.runs import measure_runs
from bench.scaling.measure import measure_scaling
from bench.startup import measure_startup

Part = Callable[[Path, Options], Coroutine[Any, Any, Sequence[Report | Table]]]
PARTS: dict[str, Part] = {
    "calls": measure_calls,
    "runs": measure_runs,
    "approvals": measure_approvals,
    "followers": measure_followers,
    "models": measure_models,
    "search": measure_search,
    "listing": measure_listing,
    "archive": measure_archives,
    "directories": measure_directories,
    "mcp": measure_mcp,
    "startup": measure_startup,
    "scaling": measure_scaling,
}
