"""What the owner of a lease writes as its run goes on: the plan, each step, the ending."""

import json

from common.errors import ToolError
from common.plans import Plan
from common.runs import Step
from orchestrator.store.backend import Backend
from orchestrator.store.fencing import write_as_owner
from orchestrator.store.queue import Queue
from orchestrator.store.records import Ending, Lease


class Progress:
    """Every write raises Fenced once there is a newer owner; one sent twice takes effect once."""

    def __init__(self, backend: Backend, queue: Queue) -> None:
        self._backend = backend
        self._queue = queue

    async def record_plan(self, lease: Lease, plan: Plan) -> None:
        """Store what the run is going to do."""
        await write_as_owner(self._backend, "record_plan", lease, "plan", plan.model_dump_json())

    async def start_step(self, lease: Lease, step: Step) -> None:
        """Store a step before its call is made."""
        named = {"n", "name", "tool", "arguments"}
        data = step.model_dump_json(include=named)
        await self._record(lease, step, "step.started", data, size=0)

    async def commit_step(self, lease: Lease, step: Step) -> Step:
        """Store what came of a step; return it as stored: an output past the bounds is left out."""
        config = self._backend.config
        size = len(step.model_dump_json(include={"output"}).encode()) if step.output else 0
        if size > config.max_step_output:
            step, size = _without_output(lease, step, config.max_step_output, size), 0
        if await self._commit(lease, step, size) == "full":
            step = _without_output(lease, step, config.max_run_output, size)
            await self._commit(lease, step, 0)
        return step

    async def _commit(self, lease: Lease, step: Step, size: int) -> str:
        event = "step.succeeded" if step.status == "succeeded" else "step.failed"
        return await self._record(
            lease, step, event, step.model_dump_json(exclude={"output"}), size
        )

    async def _record(self, lease: Lease, step: Step, event: str, data: str, size: int) -> str:
        is_committed = int(step.status != "running")
        [outcome] = await write_as_owner(
            self._backend,
            "record_step",
            lease,
            f"{step.n}:{step.status}:{size}",
            step.n,
            step.model_dump_json(),
            event,
            step.id,
            data,
            is_committed,
            size,
            self._backend.config.max_run_output,
        )
        return str(outcome)

    async def finish(self, lease: Lease, ending: Ending) -> None:
        """Store how the run ended and wake the next one in line."""
        session_id, run_id = lease.session.id, lease.run.id
        field, value, data = _ending_fields(ending)
        _, following = await write_as_owner(
            self._backend, "finish", lease, "finish", ending.status, field, value, data
        )
        await self._queue.hand_over(session_id, run_id, following)


def _ending_fields(ending: Ending) -> tuple[str, str, str]:
    """Return the field that keeps the ending, its value, and the event's data."""
    if ending.result is not None:
        value = ending.result.model_dump_json()
        return "result", value, f'{{"result":{value}}}'
    if ending.error is not None:
        value = ending.error.model_dump_json()
        return "error", value, f'{{"error":{value}}}'
    return "reason", ending.reason or "", json.dumps({"reason": ending.reason})


def _without_output(lease: Lease, step: Step, limit: int, actual: int) -> Step:
    path = step.arguments.get("path")
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
