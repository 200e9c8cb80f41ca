"""The calls of a run as they are sent, and what a refusal of one means for the run."""

from pydantic import JsonValue

from common.context import ExecutionContext
from common.errors import AgenticError, SystemFault
from common.tools import ToolCall
from orchestrator.store.records import Lease


class FenceTooLow(Exception):  # a state of affairs, not an error
    """The execution environment has seen a newer fence of this session than the lease has.

    Either there is a newer owner, or the store has forgotten how far its fences had come.
    """

    def __init__(self, highest: int) -> None:
        super().__init__(f"fence {highest} was seen")
        self.highest = highest


def tool_call(
    lease: Lease,
    n: int,
    tool: str,
    arguments: dict[str, JsonValue],
    *,
    timeout: float,
    step_id: str | None = None,
) -> ToolCall:
    """Return call `n` of a run, which has `timeout` seconds; those of steps count from 1."""
    run, session = lease.run, lease.session
    return ToolCall(
        id=f"{run.id}:{n}:1",
        fence=lease.fence,
        tool=tool,
        arguments=arguments,
        context=ExecutionContext(
            request_id=run.request_id,
            session_id=session.id,
            run_id=run.id,
            step_id=step_id,
            user_id=session.user_id,
            request_source=run.request_source,
            allowed_paths_root=f"{session.user_id}/{session.workspace}",
            timeout=timeout,
        ),
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
