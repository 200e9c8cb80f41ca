"""A run while it is executed: its lease, what others ask of it, what was decided and done."""

from collections.abc import Sequence
from itertools import takewhile

from common.plans import Turn, TurnCall
from orchestrator.engine.purse import Spending
from orchestrator.engine.signals import Signals
from orchestrator.planners.protocol import EarlierRun
from orchestrator.store.encoding.step_records import StepEntry
from orchestrator.store.records import Lease, Review, StoredStep, StoredTurn

_WITHOUT_OUTCOME = ("pending", "running")


class RunState:
    """What the runner, its turns and their steps work on; a worker has one for each run that it keeps."""

    def __init__(self, lease: Lease, signals: Signals) -> None:
        self.lease = lease
        self.signals = signals
        self.turns = list(lease.turns)
        self.spending = Spending(lease.used)
        self.earlier: dict[int, Sequence[EarlierRun]] = {}
        """The session's last runs by how many were asked for: they have ended, and stay as they are."""
        self.unsaved: tuple[StepEntry, ...] = ()
        """Outcomes, in order, that go with the next write: with what is begun next, or with the ending.

        A run that is lost meanwhile makes their calls again, as it does those whose outcome nobody knows.
        """
        self._steps = {step.n: step for step in lease.steps}

    @property
    def history(self) -> list[StoredStep]:
        """The steps that have an outcome, in order."""
        made = (step for step in self._steps.values() if step.status not in _WITHOUT_OUTCOME)
        return sorted(made, key=lambda step: step.n)

    @property
    def has_open_call(self) -> bool:
        """Whether a call was begun, by a worker that was lost, whose outcome is not known."""
        return any(step.status == "running" for step in self._steps.values())

    @property
    def is_interrupted(self) -> bool:
        """Whether no further step shall be made here."""
        return self.signals.cancelled.is_set() or self.signals.draining.is_set()

    @property
    def next_number(self) -> int:
        """The number of the next step: fixed when its turn is stored."""
        return 1 + max((call.n for turn in self.turns for call in turn.calls), default=0)

    @property
    def next_turn(self) -> int:
        """The number of the next turn."""
        return self.turns[-1].t + 1 if self.turns else 1

    def begun(self, call: TurnCall) -> StoredStep | None:
        """Return the step of a call that a lost worker has begun, or that has an outcome, if it is there.

        One that a person is asked about once more has to begin anew.
        """
        step = self._steps.get(call.n)
        return None if step is None or step.status == "pending" else step

    def review_of(self, turn: Turn) -> Review | None:
        """Return what people were shown of a turn, and have said of it."""
        review = self.lease.review
        return review if review is not None and review.t == turn.t else None

    def open_calls(self, turn: Turn) -> Sequence[TurnCall]:
        """Return the calls of a turn that a lost worker has begun, and whose outcome is not known."""
        is_open = {step.n for step in self._steps.values() if step.status == "running"}
        return [call for call in turn.calls if call.n in is_open]

    def left_of(self, turn: Turn) -> Sequence[TurnCall]:
        """Return the calls of a turn that have no outcome yet."""
        made = {step.n for step in self.history}
        return [call for call in turn.calls if call.n not in made]

    def has_begun(self, turn: Turn) -> bool:
        """Tell whether anything of a turn was begun."""
        return any(call.n in self._steps for call in turn.calls)

    @property
    def last_turn(self) -> StoredTurn | None:
        """The last turn that was stored."""
        return self.turns[-1] if self.turns else None

    @property
    def idle_turns(self) -> int:
        """How many decisions in a row have moved nothing: no call, no word to or from a person."""
        return sum(1 for _ in takewhile(_is_idle, reversed(self.turns)))

    def note_turn(self, turn: StoredTurn) -> None:
        """Note a turn that was stored; its usage is settled with that."""
        self.turns.append(turn)
        if turn.usage is not None:
            self.spending.settle(turn.usage)

    def end(self, *steps: StepEntry) -> None:
        """Note outcomes, which have to be stored."""
        self.unsaved += steps  # another tuple: the one before may be on its way to the store
        self._steps |= {step.n: step for step, _ in steps}

    def note_stored(self, given: Sequence[StepEntry], stored: Sequence[StoredStep]) -> bool:
        """Note steps that were stored, the unsaved first; tell whether they are as they were given."""
        self.unsaved = self.unsaved[len(stored) :]
        self._steps |= {step.n: step for step in stored}
        return all(one is step for one, (step, _) in zip(stored, given, strict=False))

    def is_under_way(self, call: TurnCall) -> bool:
        """Tell whether a call is begun, and has no outcome yet."""
        step = self._steps.get(call.n)
        return step is not None and step.status == "running"


def _is_idle(turn: Turn) -> bool:
    return not (turn.calls or turn.messages or turn.question is not None)
