"""What a run may use: steps, seconds under a lease, and what a model costs."""

import time
from collections.abc import Callable
from typing import TypeVar

from common.errors import ClientError, SystemFault
from common.plans import Turn
from orchestrator.engine.state import RunState
from orchestrator.planners.protocol import Left

Clock = Callable[[], float]
N = TypeVar("N", int, float)


class BudgetMeter:
    """Counts from the moment that a run was leased; what earlier leases have used counts as well.

    A run that waits, in line or for a person, uses nothing.
    """

    def __init__(self, run: RunState, clock: Clock = time.monotonic) -> None:
        self._run = run
        self._budget = run.lease.run.budget
        self._clock = clock
        self._leased_at = clock()

    @property
    def used(self) -> float:
        """Seconds used."""
        return self._run.lease.spent.total_seconds() + self._clock() - self._leased_at

    @property
    def left(self) -> Left:
        """What is left, for a planner to know."""
        return Left(
            steps=self._budget.steps - len(self._run.history),
            seconds=max(self._budget.seconds - self.used, 0.0),
            tokens=_difference(self._budget.tokens, self._run.spending.tokens),
            cost=_difference(self._budget.cost, self._run.spending.cost),
        )

    def require_steps(self, turn: Turn) -> None:
        """Raise `budget_exceeded` when a turn needs more steps than there are: half of it helps nobody."""
        needed = turn.calls[-1].n
        if needed > self._budget.steps:
            raise ClientError(
                "budget_exceeded",
                f"The run needs {needed} steps, and its budget holds {self._budget.steps}",
                limit=self._budget.steps,
                actual=needed,
            )

    def seconds_left(self) -> float:
        """Return the seconds that are left; raise `deadline_exceeded` when there are none."""
        left = self._budget.seconds - self.used
        if left <= 0:
            raise self.deadline_exceeded()
        return left

    def deadline_exceeded(self) -> SystemFault:
        """Return the error of a run that has used up its seconds."""
        return SystemFault(
            "deadline_exceeded",
            f"The run's budget of {self._budget.seconds:g} seconds is used up",
            outcome="executed" if self._run.history else "not_executed",
            limit=self._budget.seconds,
            actual=round(self.used, 3),
        )


def _difference(bound: N | None, used: N) -> N | None:
    return None if bound is None else max(bound - used, type(used)(0))
