"""Measures all that is to be told of runs of a model, on stacks of their own."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from bench.models.measuring import Pair, fake_provider, in_turn, side_by_side, stack_at
from bench.models.report import Figures, Spans, breakdown, summary
from bench.options import Options
from bench.report import Report

TIMED = "bench.models.serving"


async def measure_models(directory: Path, _: Options) -> Sequence[Report | Table]:
    """Measure; the directory is for the stacks, and is not there yet."""
    function, function_spans = await _timed(directory / "function", {})
    async with fake_provider() as url:
        timed, timed_spans = await _timed(directory / "timed", {"BENCH_MODEL_URL": url})
        settings = {"ORCHESTRATOR_MODEL": "openai:fake", "ORCHESTRATOR_MODEL_BASE_URL": url}
        async with stack_at(directory / "http", "orchestrator", settings) as stack:
            http = await in_turn(stack)
            rate = await side_by_side(stack)
    figures = Figures(function, function_spans, http, timed, timed_spans, rate)
    return [summary(figures), breakdown(figures)]


async def _timed(directory: Path, settings: Mapping[str, str]) -> tuple[Pair, Spans]:
    """Return runs of an orchestrator with stopwatches, and what those say."""
    spans = directory.with_suffix(".json")
    async with stack_at(directory, TIMED, {**settings, "BENCH_SPANS": str(spans)}) as url:
        pair = await in_turn(url)
    return pair, json.loads(spans.read_text())
