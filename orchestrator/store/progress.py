"""What the owner of a lease writes as its run goes on: each turn, each step, the ending."""

import asyncio
import json
from collections.abc import Mapping

from pydantic import JsonValue

from common.errors import ToolError
from common.plans import Plan, Turn, TurnCall
from common.runs import Step
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.fencing import write_as_owner
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.records import Ending, Lease, StoredTurn
from orchestrator.store.run_records import dump_step

EVENT_ARGUMENTS = 2048
"""Bytes of arguments that an event carries; longer ones are read in the run."""


class Progress:
    """Every write raises Fenced once there is a newer owner; one sent twice takes effect once."""

    def __init__(self, backend: Backend, queue: Queue) -> None:
        self._backend = backend
        self._queue = queue

    async def record_turn(self, lease: Lease, turn: StoredTurn) -> None:
        """Store a turn before anything of it is done, on the replicas that the settings ask for.

        The first one takes a client's plan over.

        Raises `output_too_large` when the run cannot store so much.
        """
        text, size, *taken_over = await asyncio.to_thread(_written, lease, turn)
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
            _decided(turn),
            *taken_over,
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

    async def append_text(self, lease: Lease, before: int, text: str) -> None:
        """Show more of what the planner is saying; `before`: bytes that were said before this."""
        await write_as_owner(self._backend, "append_text", lease, before, text)

    async def start_step(self, lease: Lease, step: Step, call: TurnCall) -> None:
        """Store a step before its call is made; raise `output_too_large` for what is too much.

        What references have become counts like an output.
        """
        told = step.model_dump(include={"n", "name", "tool"})
        data = _json({**told, "arguments": _brief(step.arguments)})
        size = 0 if step.arguments == call.arguments else _length(step.arguments)
        if await self._record(lease, step, call, "step.started", data, size) == "full":
            raise ToolError(
                "output_too_large",
                "The arguments do not fit into what a run can store",
                tool=step.tool,
                limit=self._backend.config.max_run_output,
                actual=size,
            )

    async def commit_step(self, lease: Lease, step: Step, call: TurnCall) -> Step:
        """Store what came of a step; return it as stored: an output past the bounds is left out."""
        config = self._backend.config
        size = _length(step.output) if step.output else 0
        if size > config.max_step_output:
            step, size = _without_output(lease, step, config.max_step_output, size), 0
        if await self._commit(lease, step, call, size) == "full":
            step = _without_output(lease, step, config.max_run_output, size)
            await self._commit(lease, step, call, 0)
        return step

    async def _commit(self, lease: Lease, step: Step, call: TurnCall, size: int) -> str:
        event = "step.succeeded" if step.status == "succeeded" else "step.failed"
        brief = step.model_copy(update={"output": None, "arguments": _brief(step.arguments)})
        data = brief.model_dump_json(exclude={"output"})
        return await self._record(lease, step, call, event, data, size)

    async def _record(
        self, lease: Lease, step: Step, call: TurnCall, event: str, data: str, size: int
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

    async def finish(self, lease: Lease, ending: Ending) -> None:
        """Store how the run ended, with the turn that says so, and wake the next one in line."""
        field, value, data = _ending_fields(ending)
        turn = ending.turn
        decided = ("", "") if turn is None else (turn.t, turn.model_dump_json())
        _, following = await write_as_owner(
            self._backend, "finish", lease, "finish", ending.status, field, value, data, *decided
        )
        await self._queue.hand_over(RunRef.of(lease), following)


def _length(value: Mapping[str, JsonValue] | None) -> int:
    return len(_json(value).encode())


def _json(value: object) -> str:
    """Return JSON as pydantic writes it: what is stored of an event goes out as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _brief(arguments: Mapping[str, JsonValue] | None) -> Mapping[str, JsonValue] | None:
    return arguments if _length(arguments) <= EVENT_ARGUMENTS else None


def _decided(turn: Turn) -> str:
    usage = None if turn.usage is None else turn.usage.model_dump()
    return _json({"t": turn.t, "calls": len(turn.calls), "usage": usage})


def _written(lease: Lease, turn: StoredTurn) -> tuple[str, int, str, str]:
    """Return a turn's JSON and its bytes, what is told of a plan that it takes over, and the document
    without that. It may be megabytes, and renewals share the loop: this is for a thread.
    """
    text, plan = turn.model_dump_json(), lease.run.plan
    if plan is None or len(turn.calls) < len(plan.steps):  # an older program has begun it
        return text, len(text.encode()), "", ""
    without_plan = lease.run.model_copy(update={"plan": None}).model_dump_json()
    return text, len(text.encode()), _planned(plan), without_plan


def _planned(plan: Plan) -> str:
    """Return the event's data: the plan, of a long one the names and tools only."""
    text = plan.model_dump_json()
    if len(text) > EVENT_ARGUMENTS:
        text = plan.model_dump_json(exclude={"steps": {"__all__": {"arguments"}}})
    return f'{{"plan":{text}}}'


def _ending_fields(ending: Ending) -> tuple[str, str, str]:
    """Return the field that keeps the ending, its value, and the event's data."""
    if ending.result is not None:
        value = ending.result.model_dump_json()
        return "result", value, f'{{"result":{value}}}'
    if ending.error is not None:
        value = ending.error.model_dump_json()
        return "error", value, f'{{"error":{value}}}'
    return "reason", ending.reason or "", _json({"reason": ending.reason})


def _without_output(lease: Lease, step: Step, limit: int, actual: int) -> Step:
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
