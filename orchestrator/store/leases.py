"""Leases: how one worker owns a run, and every write that only the owner may make."""

from datetime import UTC, datetime
from typing import Any

from common.errors import Problem, SystemFault, ToolError
from common.plans import Plan
from common.runs import Step
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.queue import Queue
from orchestrator.store.records import (
    Ending,
    Lease,
    RunDocument,
    moment,
    read_session,
    read_steps,
)


class Fenced(Exception):  # a state of affairs, not an error
    """Another worker owns the run now: the writer has to stop."""


class LeaseStore:
    """Acquires, renews and ends leases. Writes raise Fenced once there is a newer owner."""

    def __init__(self, backend: Backend, queue: Queue) -> None:
        self._backend = backend
        self._queue = queue

    async def acquire(self, session_id: str, run_id: str, token: str) -> Lease | None:
        """Take a run that nobody owns, or return None. `token` names this one acquisition.

        The fence is larger than the last one, and no less than the server's time in µs (a replica
        that takes over may not know the last one).
        """
        config = self._backend.config
        outcome, fence, following = await self._backend.script(
            "acquire",
            session_id,
            run_id,
            token,
            milliseconds(config.lease),
            config.max_attempts,
            _given_up(config.max_attempts).model_dump_json(),
        )
        if outcome in ("parked", "final", "gone"):
            await self._queue.hand_over(session_id, run_id, following)
        if outcome != "acquired":
            return None
        return await self._read(session_id, run_id, int(fence))

    async def _read(self, session_id: str, run_id: str, fence: int) -> Lease:
        redis, keys = self._backend.redis, self._backend.keys
        pipeline = redis.pipeline(transaction=True)
        pipeline.hgetall(keys.session(session_id)).hgetall(keys.run(session_id, run_id))
        pipeline.hgetall(keys.steps(session_id, run_id))
        session, run, steps = await self._backend.do(pipeline.execute())
        return Lease(
            session=read_session(session),
            run=RunDocument.model_validate_json(run["document"]),
            steps=tuple(read_steps(steps)),
            started_at=moment(run["started"]) or datetime.now(UTC),
            fence=fence,
            cancel_requested=run["cancel"] == "1",
            is_planned="plan" in run,
        )

    async def renew(self, lease: Lease) -> bool:
        """Keep the lease for another period; tell whether the run shall be cancelled."""
        answer = await self._write("renew", lease, milliseconds(self._backend.config.lease))
        return bool(answer == "cancel")

    async def record_plan(self, lease: Lease, plan: Plan) -> None:
        """Store what the run is going to do."""
        await self._write("plan", lease, "plan", plan.model_dump_json())

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

    async def _commit(self, lease: Lease, step: Step, size: int) -> Any:
        event = "step.succeeded" if step.status == "succeeded" else "step.failed"
        return await self._record(
            lease, step, event, step.model_dump_json(exclude={"output"}), size
        )

    async def _record(self, lease: Lease, step: Step, event: str, data: str, size: int) -> Any:
        is_committed = int(step.status != "running")
        return await self._write(
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

    async def finish(self, lease: Lease, ending: Ending) -> None:
        """Store how the run ended and wake the next one in line."""
        session_id, run_id = lease.session.id, lease.run.id
        field, value, data = _ending_fields(ending)
        _, following = await self._write(
            "finish", lease, "finish", ending.status, field, value, data
        )
        await self._queue.hand_over(session_id, run_id, following)

    async def release(self, lease: Lease, floor: int = 0) -> None:
        """Give an unfinished run back, for another worker to go on with.

        `floor` is a fence that was seen elsewhere: the next one is larger.
        """
        await self._write("release", lease, "release", floor)
        await self._queue.wake(lease.session.id, lease.run.id)

    async def _write(self, script: str, lease: Lease, *arguments: str | int) -> Any:
        session_id, run_id = lease.session.id, lease.run.id
        answer = await self._backend.script(script, session_id, run_id, lease.fence, *arguments)
        if "fenced" in (answer, answer[0]):
            raise Fenced(run_id)
        return answer


def _ending_fields(ending: Ending) -> tuple[str, str, str]:
    """Return the field that keeps the ending, its value, and the event's data."""
    if ending.result is not None:
        value = ending.result.model_dump_json()
        return "result", value, f'{{"result":{value}}}'
    if ending.error is not None:
        value = ending.error.model_dump_json()
        return "error", value, f'{{"error":{value}}}'
    return "reason", ending.reason or "", f'{{"reason":"{ending.reason}"}}'


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


def _given_up(attempts: int) -> Problem:
    return SystemFault(
        "internal", f"The run was given up: its worker was lost {attempts} times in a row"
    ).problem("orchestrator", None)
