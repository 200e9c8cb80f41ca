"""What a run spends on a model: reserved before a request, settled after it, never above its budget."""

from common.errors import AgenticError, ClientError
from common.plans import Usage
from common.runs import Budget
from orchestrator.planners.protocol import Purse
from orchestrator.store.conversation import Conversation
from orchestrator.store.records import Lease, Spent

NANO_DIGITS = 9
"""A token of the cheapest model costs some ten nanodollars."""


class Spending:
    """What a run has spent so far, kept beside the store's own account of it."""

    def __init__(self, spent: Spent) -> None:
        used = spent.usage
        self._tokens = used.input_tokens + used.output_tokens + spent.lost_tokens
        self._cost = (used.cost or 0.0) + spent.lost_cost
        self._reserved_tokens = 0
        self._reserved_cost = 0.0

    @property
    def tokens(self) -> int:
        """All that counts against the budget: used, lost, or reserved for a request under way."""
        return self._tokens + self._reserved_tokens

    @property
    def cost(self) -> float:
        """The same in US dollars, as exact as the store counts them."""
        return round(self._cost + self._reserved_cost, NANO_DIGITS)

    def reserve(self, tokens: int, cost: float) -> None:
        """Count a request that is going to be made; an earlier one that was not settled is lost."""
        self._tokens, self._cost = self.tokens, self.cost
        self._reserved_tokens, self._reserved_cost = tokens, cost

    def settle(self, usage: Usage) -> None:
        """Count what the open request took, in place of what was reserved for it."""
        self._reserved_tokens, self._reserved_cost = 0, 0.0
        self._tokens += usage.input_tokens + usage.output_tokens
        self._cost += usage.cost or 0.0


class RunPurse(Purse):
    """The purse of one run under one lease."""

    def __init__(self, conversation: Conversation, lease: Lease, spending: Spending) -> None:
        self._conversation = conversation
        self._lease = lease
        self._spending = spending

    async def reserve(self, tokens: int, cost: float | None) -> None:
        """Reserve for one request, in the store before it is made; `cost` in US dollars.

        Raises `budget_exceeded` when the run has not as much left; `invalid_request` when its budget
        bounds the cost, and nobody knows that of the request.
        """
        _require(self._lease.run.budget, self._spending, tokens, cost)
        # Counted first: where the store's answer is lost, the reservation may stand.
        self._spending.reserve(tokens, cost or 0.0)
        await self._conversation.reserve(self._lease, tokens, cost)

    async def settle(self, usage: Usage) -> None:
        """Say what the request took that was reserved for."""
        await self._conversation.settle(self._lease, usage)
        self._spending.settle(usage)


def _require(budget: Budget, spending: Spending, tokens: int, cost: float | None) -> None:
    needed = spending.tokens + tokens
    if budget.tokens is not None and needed > budget.tokens:
        raise _exceeded(f"{needed} tokens", budget.tokens, needed)
    if budget.cost is None:
        return
    if cost is None:
        raise ClientError(
            "invalid_request",
            "The run's budget bounds its cost, and the price of its model is not known",
        )
    price = round(spending.cost + cost, NANO_DIGITS)
    if price > budget.cost:
        raise _exceeded(f"{price:.9g} US dollars", budget.cost, price)


def _exceeded(needed: str, limit: float, actual: float) -> AgenticError:
    return ClientError(
        "budget_exceeded",
        f"With its next request to the model the run could come to {needed},"
        f" and its budget holds {limit:.9g}",
        limit=limit,
        actual=actual,
    )
