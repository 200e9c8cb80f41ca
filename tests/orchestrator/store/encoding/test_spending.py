"""What a run has used of a model: exact sums, and no price where one is not known."""

import json

import pytest

from common.plans import Usage
from orchestrator.store.encoding.spending import dump_usage, nanodollars, read_spent
from orchestrator.store.records import Spent


def test_spending_keeps_the_price_of_a_single_cheap_token():
    """In millionths of a dollar it would be rounded to nothing, and a long run would be free."""
    kept = json.loads(dump_usage(Usage(output_tokens=1, cost=0.00000004)))
    assert kept == {"output_tokens": 1, "cost": 40}
    assert read_spent({"output_tokens": "1", "cost": "40"}).usage.cost == 0.00000004


def test_spending_adds_up_without_an_error_of_rounding():
    """Ten times ten cents is a dollar: a budget of one dollar is used up then, and not before."""
    assert sum(nanodollars(0.1) for _ in range(10)) == nanodollars(1.0)


@pytest.mark.parametrize(
    ("usage", "kept"),
    [
        (None, ""),
        (Usage(), "{}"),
        (Usage(cost=0.0), '{"cost": 0}'),
        (Usage(input_tokens=3), '{"input_tokens": 3, "unpriced": 1}'),
    ],
)
def test_spending_tells_no_model_from_no_price_from_no_cost(usage, kept):
    """A request that was refused needs no price; a model that is free has one; an unknown price stays so."""
    assert dump_usage(usage) == kept


def test_spending_of_a_run_has_no_cost_as_soon_as_one_answer_has_no_price():
    """A sum of the others would pass for what the run cost."""
    assert read_spent({"cost": "1000", "output_tokens": "2", "unpriced": "1"}).usage.cost is None


def test_spending_of_a_run_that_an_older_program_stored_is_nothing():
    """Its hash has none of the fields."""
    assert read_spent({"status": "running"}) == Spent()
