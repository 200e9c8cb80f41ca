"""What a run has used of a model, as its hash keeps it: whole numbers, so that nothing is rounded twice."""

import json

from common.plans import Usage
from orchestrator.store.records import Fields, Spent

NANO = 10**9
"""Nanodollars of a dollar: a token of the cheapest model costs some ten, and sums stay exact."""
SPENT_FIELDS = (
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "cost",
    "unpriced",
    "lost_tokens",
    "lost_cost",
)
"""The fields of a run's hash; `unpriced` counts the answers whose price nobody knew."""


def nanodollars(cost: float | None) -> int:
    """Return US dollars as the store counts them; what has no price counts nothing."""
    return 0 if cost is None else round(cost * NANO)


def dump_usage(usage: Usage | None) -> str:
    """Return what is to be added to a run's hash, as a JSON object; "" where no model was asked."""
    if usage is None:
        return ""
    tokens = usage.model_dump(exclude={"cost"})
    added = {name: amount for name, amount in tokens.items() if amount}
    if usage.cost is not None:
        added["cost"] = nanodollars(usage.cost)
    elif added:  # a request that was refused took nothing, and needs no price
        added["unpriced"] = 1
    return json.dumps(added)


def read_spent(fields: Fields) -> Spent:
    """Read what a run has used; the cost only where it is known of every answer."""
    is_priced = "cost" in fields and "unpriced" not in fields
    usage = Usage(
        input_tokens=int(fields.get("input_tokens", 0)),
        cached_tokens=int(fields.get("cached_tokens", 0)),
        output_tokens=int(fields.get("output_tokens", 0)),
        cost=int(fields["cost"]) / NANO if is_priced else None,
    )
    lost_cost = int(fields.get("lost_cost", 0)) / NANO
    return Spent(usage, lost_tokens=int(fields.get("lost_tokens", 0)), lost_cost=lost_cost)
