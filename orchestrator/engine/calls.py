"""The calls of a run as they are sent, and what a refusal of one means for the run."""

from pydantic import JsonValue

from common.context import Access, ExecutionContext
from common.errors import AgenticError, SystemFault
from common.tools import ToolCall
from orchestrator.approvals.dry_running import DryRun, dry_runs
from orchestrator.engine.state import RunState
from orchestrator.execution.retrying import Executor
from orchestrator.store.records import Lease, StoredStep


class FenceTooLow(Exception):  # a state of affairs, not an error
    """The execution environment has seen a newer fence of this session than the lease has.

    Either there is a newer owner, or the store has forgotten how far its fences had come.
    """

    def __init__(self, highest: int) -> None:
        super().__init__(f"fence {highest} was seen")
        self.highest = highest


def step_call(lease: Lease, step: StoredStep, access: Access, *, timeout: float) -> ToolCall:
    """Return the call of a step, which has `timeout` seconds."""
    return ToolCall(
        id=f"{lease.run.id}:{step.n}:{step.k}",
        fence=lease.fence,
        tool=step.tool,
        arguments=step.arguments or {},
        context=context_of(lease, access, timeout=timeout, step_id=step.id),
        expected=step.expected,
    )


def own_read(
    lease: Lease, tool: str, arguments: dict[str, JsonValue], *, timeout: float
) -> ToolCall:
    """Return a read that the engine makes for itself, before those of the run's steps: they count from 1."""
    return ToolCall(
        id=f"{lease.run.id}:0:1",
        fence=lease.fence,
        tool=tool,
        arguments=arguments,
        context=context_of(lease, "read_only", timeout=timeout),
    )


def dry_runs_of(run: RunState, executor: Executor, timeout: float) -> DryRun:
    """Return what makes dry runs for a run, each with `timeout` seconds; a cancel ends them."""
    return dry_runs(
        executor,
        context_of(run.lease, "read_only", timeout=timeout),
        run.lease.run.traceparent,
        run.signals.cancelled,
    )


def context_of(
    lease: Lease, access: Access, *, timeout: float, step_id: str | None = None
) -> ExecutionContext:
    """Return in whose name a run's calls are made, and within which bounds."""
    run, session = lease.run, lease.session
    return ExecutionContext(
        request_id=run.request_id,
        session_id=session.id,
        run_id=run.id,
        step_id=step_id,
        user_id=session.user_id,
        request_source=run.request_source,
        allowed_paths_root=f"{session.user_id}/{session.workspace}",
        access=access,
        timeout=timeout,
    )


def meaning_of(failure: AgenticError, lease: Lease) -> AgenticError:
    """Return the failure, or what it means that the execution environment knows another call.

    A number is given to one call only, before it is made: the store must have lost a turn that it had
    confirmed, as a failover to a stale replica does, and the run was decided a second time.

    Raises FenceTooLow when the execution environment has seen a newer fence than the lease's.
    """
    highest = failure.context.limit
    if failure.code == "fenced" and highest is not None and highest > lease.fence:
        raise FenceTooLow(int(highest))
    if failure.code not in ("idempotency_conflict", "call_expired"):
        return failure
    return SystemFault(
        "state_lost", f"The store has lost a part of this run: {failure.detail}", outcome="unknown"
    )
