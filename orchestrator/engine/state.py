"""A run while it is executed: its lease, what others ask of it, the steps it has made."""

from common.runs import Step
from orchestrator.engine.signals import Signals
from orchestrator.store.records import Lease


class RunState:
    """What the runner and its steps work on; a worker has one for each run that it keeps."""

    def __init__(self, lease: Lease, signals: Signals) -> None:
        self.lease = lease
        self.signals = signals
        self.history = list(lease.steps)
        """The steps that were made, with their outcomes."""
        self.in_flight: Step | None = None
        """The step that a lost worker had recorded, and whose outcome is not known yet."""
        if self.history and self.history[-1].status == "running":
            self.in_flight = self.history.pop()

    @property
    def is_interrupted(self) -> bool:
        """Whether no further step shall be made here."""
        return self.signals.cancelled.is_set() or self.signals.draining.is_set()

    def add(self, step: Step) -> None:
        """Note a step that was made."""
        self.history.append(step)
        self.in_flight = None
