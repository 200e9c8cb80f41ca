"""What the owner of a lease writes as its run goes on: each turn, each step, the ending."""

from collections.abc import Iterator, Sequence
from typing import Literal

from common.errors import ToolError
from common.off_loop import is_small, off_loop
from common.plans import TurnCall
from orchestrator.store.backend import Backend, StoreConfig, milliseconds
from orchestrator.store.encoding.spending import dump_usage
from orchestrator.store.encoding.step_records import (
    StepEntry,
    StepRecord,
    step_record,
    unfit,
    without_output,
)
from orchestrator.store.encoding.telling import decided, ending_fields, written
from orchestrator.store.fencing import write_as_owner
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import Ending, Lease, StoredStep, StoredTurn


class Progress:
    """Every write raises Fenced once there is a newer owner; one sent twice takes effect once."""

    def __init__(self, backend: Backend, queue: Queue) -> None:
        self._backend = backend
        self._queue = queue

    async def record_turn(self, lease: Lease, turn: StoredTurn) -> None:
        """Store a turn before anything of it is done, on the replicas that the settings ask for.

        The first one takes a client's plan over. The messages that it keeps leave the run's inbox; its
        usage takes the place of what was reserved for it.

        Raises `output_too_large` when the run cannot store so much.
        """
        is_little = is_small(turn, lease.run)
        text, size, *taken_over = await off_loop(is_little, written, lease, turn)
        most = self._backend.config.max_run_output
        [outcome] = await write_as_owner(
            self._backend,
            "record_turn",
            lease,
            f"{turn.t}",
            turn.t,
            text,
            size,
            most,
            decided(turn),
            *taken_over,
            len(turn.messages),
            dump_usage(turn.usage),
            is_replicated=True,
        )
        if outcome == "full":
            raise ToolError(
                "output_too_large",
                "The run cannot store what it was to do",
                limit=most,
                actual=size,
            )

    async def confirm_turns(self, lease: Lease) -> None:
        """Return when the replicas that the settings ask for have what earlier owners have stored.

        One of them may have stored a turn, and not have waited for the replicas until they had it.
        """
        config = self._backend.config
        if config.replica_acks:
            period = milliseconds(config.lease)
            await write_as_owner(self._backend, "renew", lease, period, is_replicated=True)

    async def record(self, lease: Lease, steps: Sequence[StepEntry]) -> Sequence[StoredStep]:
        """Store steps as they are now, in their order and at once; return those that are, as they are.

        Before its call is made a step is begun; then it has an outcome, of which an output past the bounds
        is left out. Behind such a step nothing is stored, which may rest on it, nor behind one that is
        begun and does not fit: fewer come back than were given.
        """
        bound = self._backend.config.max_step_output
        records, is_past = _records_of(steps, bound)
        fit = records[:-1] if is_past else records
        number = await self._record(lease, fit)
        stored = [step for step, _ in steps[:number]]
        if number == len(steps) or steps[number][0].status == "running":
            return stored
        most = bound if number == len(fit) else self._backend.config.max_run_output
        (step, call), size = steps[number], records[number].size
        step = without_output(step, lease.run.request_id, most, size)
        await self._record(lease, [step_record(step, call)])
        return [*stored, step]

    def unfit(self, step: StoredStep, call: TurnCall) -> ToolError:
        """Return why a call is not made that a run has no room for."""
        return unfit(step, call, self._backend.config.max_run_output)

    async def _record(self, lease: Lease, records: Sequence[StepRecord]) -> int:
        """Store steps; return how many there was room for."""
        if not records:
            return 0
        outcomes = await write_as_owner(
            self._backend, "record_steps", lease, *_given(records, self._backend.config)
        )
        return len(outcomes) - bool(outcomes[-1] == "full")

    async def finish(
        self, lease: Lease, ending: Ending, steps: Sequence[StepEntry] = ()
    ) -> Literal["done", "more", "full"]:
        """Store how the run ended, with the turn that says so and the last steps; wake the next one in line.

        `more`, and nothing is stored, where the turn is an answer and people have sent more messages
        than it was shown: the run goes on. `full` where an output is past the bounds: the steps have to be
        recorded by themselves, and may mean another ending.
        """
        records, is_past = _records_of(steps, self._backend.config.max_step_output)
        if is_past:
            return "full"
        outcome, following = await write_as_owner(
            self._backend,
            "finish",
            lease,
            "finish",
            ending.status,
            *ending_fields(ending),
            *_last_turn(ending.turn),
            *_given(records, self._backend.config),
        )
        if outcome in ("more", "full"):
            return "more" if outcome == "more" else "full"
        await self._queue.hand_over(RunRef.of(lease), following)
        return "done"


def _records_of(steps: Sequence[StepEntry], bound: int) -> tuple[list[StepRecord], bool]:
    """Return steps as they are stored, up to the first whose output is past the bound, if there is one.

    No more is looked at than is going to be stored: outputs may be long, and others wait.
    """
    records: list[StepRecord] = []
    for step, call in steps:
        records.append(step_record(step, call))
        if step.status != "running" and records[-1].size > bound:
            return records, True
    return records, False


def _given(records: Sequence[StepRecord], config: StoreConfig) -> Iterator[str | int]:
    """Yield the bound of a run, and the steps."""
    yield config.max_run_output
    for record in records:
        yield from record.arguments


def _last_turn(turn: StoredTurn | None) -> tuple[int | str, str, int | str, str, str]:
    """Return the turn's number, its JSON, how many messages an answer was shown, its usage, and what is
    told of it: of a planner's own word the ending says all.
    """
    if turn is None:
        return "", "", "", "", ""
    shown = "" if turn.answer is None else len(turn.messages)
    told = "" if turn.usage is None else decided(turn)
    return turn.t, turn.model_dump_json(), shown, dump_usage(turn.usage), told
