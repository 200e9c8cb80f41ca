"""What the owner of a lease writes as its run goes on: each turn, each step, the ending."""

from common.errors import ToolError
from common.off_loop import is_small, off_loop
from common.plans import TurnCall
from common.runs import Step
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.encoding.run_records import dump_step, own_length
from orchestrator.store.encoding.spending import dump_usage
from orchestrator.store.encoding.telling import (
    brief,
    decided,
    ending_fields,
    length,
    to_json,
    written,
)
from orchestrator.store.fencing import write_as_owner
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import Ending, Lease, StoredStep, StoredTurn

_TOLD = set(Step.model_fields) - {"output"}
"""What an event says of a step: of a stored one as well."""


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

    async def start_step(self, lease: Lease, step: StoredStep, call: TurnCall) -> None:
        """Store a step before its call is made; raise `output_too_large` for what is too much.

        What references have become counts like an output, and so does what it is expected to find.
        """
        told = step.model_dump(include={"n", "name", "tool"})
        data = to_json({**told, "arguments": brief(step.arguments)})
        size = own_length(step, call)
        if await self._record(lease, step, call, "step.started", data, size) == "full":
            raise ToolError(
                "output_too_large",
                "The arguments do not fit into what a run can store",
                tool=step.tool,
                limit=self._backend.config.max_run_output,
                actual=size,
            )

    async def commit_step(self, lease: Lease, step: StoredStep, call: TurnCall) -> StoredStep:
        """Store what came of a step; return it as stored: an output past the bounds is left out."""
        config = self._backend.config
        size = length(step.output) if step.output else 0
        if size > config.max_step_output:
            step, size = _without_output(lease, step, config.max_step_output, size), 0
        if await self._commit(lease, step, call, size) == "full":
            step = _without_output(lease, step, config.max_run_output, size)
            await self._commit(lease, step, call, 0)
        return step

    async def _commit(self, lease: Lease, step: StoredStep, call: TurnCall, size: int) -> str:
        event = "step.succeeded" if step.status == "succeeded" else "step.failed"
        told = step.model_copy(update={"output": None, "arguments": brief(step.arguments)})
        data = told.model_dump_json(include=_TOLD)
        return await self._record(lease, step, call, event, data, size)

    async def _record(
        self, lease: Lease, step: StoredStep, call: TurnCall, event: str, data: str, size: int
    ) -> str:
        [outcome] = await write_as_owner(
            self._backend,
            "record_step",
            lease,
            f"{step.status}:{size}",
            step.n,
            dump_step(step, call),
            event,
            step.id,
            data,
            int(step.status != "running"),
            size,
            self._backend.config.max_run_output,
        )
        return str(outcome)

    async def finish(self, lease: Lease, ending: Ending) -> bool:
        """Store how the run ended, with the turn that says so, and wake the next one in line.

        False, and nothing is stored, where the turn is an answer and people have sent more messages
        than it was shown: the run goes on.
        """
        outcome, following = await write_as_owner(
            self._backend,
            "finish",
            lease,
            "finish",
            ending.status,
            *ending_fields(ending),
            *_last_turn(ending.turn),
        )
        if outcome == "more":
            return False
        await self._queue.hand_over(RunRef.of(lease), following)
        return True


def _last_turn(turn: StoredTurn | None) -> tuple[int | str, str, int | str, str, str]:
    """Return the turn's number, its JSON, how many messages an answer was shown, its usage, and what is
    told of it: of a planner's own word the ending says all.
    """
    if turn is None:
        return "", "", "", "", ""
    shown = "" if turn.answer is None else len(turn.messages)
    told = "" if turn.usage is None else decided(turn)
    return turn.t, turn.model_dump_json(), shown, dump_usage(turn.usage), told


def _without_output(lease: Lease, step: StoredStep, limit: int, actual: int) -> StoredStep:
    path = (step.arguments or {}).get("path")
    problem = ToolError(
        "output_too_large",
        f"The output of step '{step.name}' is too large to be kept; its effects stand",
        outcome="executed",
        path=path if isinstance(path, str) else None,
        tool=step.tool,
        limit=limit,
        actual=actual,
    ).problem("orchestrator", lease.run.request_id)
    return step.model_copy(update={"status": "failed", "output": None, "error": problem})
