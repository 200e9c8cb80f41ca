"""Prints what runs of a model cost, and where their time goes."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.table import Table

from bench.models.measuring import Pair, Sample
from bench.models.spans import AGENTS_MD, CALL, CONVERSATION, EARLIER, MODEL, PLANNER, PROGRESS
from bench.report import Bar, Line, Report
from bench.rounds import Figure

Spans = Mapping[str, Mapping[str, float]]
"""Seconds by name, of each run by its id."""
WITHIN_PLANNER = (EARLIER, CONVERSATION["reserve"], MODEL)
PARTS = (
    AGENTS_MD,
    CONVERSATION["messages"],
    EARLIER,
    CONVERSATION["reserve"],
    MODEL,
    CONVERSATION["append_text"],
    PROGRESS["record_turn"],
    PROGRESS["record"],
    CALL,
    PROGRESS["finish"],
)


@dataclass(frozen=True)
class Figures:
    """All that was measured."""

    function: Pair
    """Runs of a model that is a function of the orchestrator's process."""
    function_spans: Spans
    http: Pair
    """Runs of a model over HTTP, by the orchestrator as it is."""
    timed: Pair
    """Likewise, by one with stopwatches."""
    timed_spans: Spans
    rate: float
    """Runs a second, side by side."""


def summary(figures: Figures) -> Report:
    """Return the runs beside their bounds."""
    function, http = figures.function, figures.http
    plans, models = _runs("of a plan", function.plans), _runs(
        "of a function as model", function.models
    )
    beside = _runs("of a plan, beside the next", http.plans)
    over_http = _runs("of a fake provider's model, over HTTP", http.models)
    more = Figure("of a function as model, above a plan's", "ms", [function.more])
    rate = Figure("over HTTP, 16 at a time", "/s", [figures.rate])
    slowest = Figure("over HTTP, p95", "ms", [high(http.models)])
    lines = [
        Line(plans),
        Line(models, plans),
        Line(more, bar=Bar(4)),
        Line(beside),
        Line(over_http, beside, Bar(25)),
        Line(slowest),
        Line(rate, bar=Bar(45)),
    ]
    note = "The runs of the best of some rounds. A run of a model: two turns and one call."
    return Report("a run of one step", lines, note)


def _runs(name: str, samples: Sequence[Sample]) -> Figure:
    return Figure(name, "ms", [sample.taken for sample in samples])


def high(samples: Sequence[Sample]) -> float:
    """Return the 95th percentile in milliseconds."""
    return sorted(sample.taken for sample in samples)[int(len(samples) * 0.95)]


def breakdown(figures: Figures) -> Table:
    """Return where the time of a run goes: medians of what each part took, in milliseconds."""
    table = Table(
        caption="ms of a run, medians; what goes on side by side counts in each of its rows,"
        " so the rest may come out too small"
    )
    table.add_column("where the time goes")
    columns = {
        "plan": breakdown_of(figures.function.plans, figures.function_spans),
        "function": breakdown_of(figures.function.models, figures.function_spans),
        "HTTP": breakdown_of(figures.timed.models, figures.timed_spans),
    }
    for name in columns:
        table.add_column(name, justify="right")
    for row in next(iter(columns.values())):
        table.add_row(row, *(f"{column[row]:.2f}" for column in columns.values()))
    return table


def breakdown_of(samples: Sequence[Sample], spans: Spans) -> Mapping[str, float]:
    """Return the median of each part of these runs, in milliseconds."""
    each = [dict(_parts(sample, spans[str(sample.run["id"])])) for sample in samples]
    return {name: statistics.median(parts[name] for parts in each) for name in each[0]}


def _parts(sample: Sample, spans: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield the parts of a run in the order of their beginnings, in milliseconds."""
    took = {name: seconds * 1000 for name, seconds in spans.items()}
    created, started = _moment(sample.run["created_at"]), _moment(sample.run["started_at"])
    parts = {
        "request: until the run is stored": created - sample.sent,
        "created: until it is started": started - created,
        **{name: took.get(name, 0.0) for name in PARTS},
    }
    within = sum(took.get(name, 0.0) for name in WITHIN_PLANNER)
    parts["the planner itself"] = took.get(PLANNER, 0.0) - within
    yield from parts.items()
    yield "the rest: engine, answer to the client", sample.taken - sum(parts.values())
    yield "in all", sample.taken


def _moment(text: str) -> float:
    """Return milliseconds since the epoch."""
    return datetime.fromisoformat(text).timestamp() * 1000
