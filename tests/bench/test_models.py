"""The bench of runs that a model decides: what it prints adds up."""

import pytest

from bench.models.measuring import Pair, Sample
from bench.models.report import Figures, breakdown_of, high, summary


def sample(taken):
    """Return a run that was stored 2 ms after it was sent, and started 3 ms later."""
    run = {
        "id": "run_1",
        "created_at": "2026-01-01T00:00:00.002Z",
        "started_at": "2026-01-01T00:00:00.005Z",
    }
    return Sample(1767225600000.0, taken, run)


def test_the_parts_of_a_run_add_up_to_what_its_client_waited():
    """A part that was forgotten, or counted twice, would send people looking in the wrong place."""
    spans = {"run_1": {"decide": 0.010, "the model answers": 0.008, "the call": 0.004}}
    parts = dict(breakdown_of([sample(30.0)], spans))
    assert parts["the model answers"] == pytest.approx(8)
    assert parts["the planner itself"] == pytest.approx(2)
    assert parts.pop("in all") == 30
    assert sum(parts.values()) == pytest.approx(30)


def test_a_pair_says_how_much_longer_a_run_of_a_model_takes():
    """That is the figure that has a bound: ours alone, above a plan's."""
    pair = Pair([sample(10.0), sample(11.0), sample(30.0)], [sample(14.0)] * 3)
    assert pair.more == 3
    assert high(pair.plans) == 30


def test_the_summary_judges_what_a_model_adds_and_how_many_runs_end_in_a_second():
    """A plan's run is the floor of the same rounds."""
    pair = Pair([sample(10.0)] * 3, [sample(13.0)] * 3)
    lines = {
        line.figure.name: line for line in summary(Figures(pair, {}, pair, pair, {}, 44)).lines
    }
    assert lines["of a function as model"].ratio.median == pytest.approx(1.3)
    assert lines["of a function as model, above a plan's"].is_met
    assert lines["of a fake provider's model, over HTTP"].is_met
    assert not lines["over HTTP, 16 at a time"].is_met
