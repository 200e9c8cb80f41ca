"""What came of a call, as its step says it."""

from typing import Any

from common.errors import AgenticError, Problem, SystemFault
from common.tools import ToolCall, ToolResult
from orchestrator.engine.calls import meaning_of
from orchestrator.engine.state import RunState
from orchestrator.execution.retrying import Cancelled, Executor, RetryingCall
from orchestrator.store.records import Lease, StoredStep

Outcome = dict[str, Any]
"""Fields of a step."""


class ChangedSincePreview(Exception):  # a state of affairs, not an error
    """A call would not do any more what a person has approved; its step, where it was begun."""

    def __init__(self, n: int, step: StoredStep | None = None) -> None:
        super().__init__(n)
        self.n = n
        self.step = step


async def outcome_of(
    run: RunState, executor: Executor, sent: ToolCall, *, is_open: bool
) -> Outcome:
    """Make a call; return what its step says of it. `is_open`: a worker that was lost may have made it."""
    call = RetryingCall(
        executor, sent, run.lease.run.traceparent, run.signals.cancelled, is_open=is_open
    )
    try:
        outcome = _success(await call.result())
    except AgenticError as failure:
        outcome = _failure(run.lease, meaning_of(failure, run.lease))
    except Cancelled as cancel:
        outcome = _cancelled(run.lease, sent, cancel)
    return {**outcome, "attempts": call.attempts}


def not_made(problem: Problem) -> Outcome:
    """Return the outcome of a call that is not made."""
    return {"status": "failed", "error": problem, "attempts": 0}


def _success(result: ToolResult) -> Outcome:
    return {"status": "succeeded", "output": result.output, "receipts": result.receipts}


def _failure(lease: Lease, failure: AgenticError) -> Outcome:
    return {"status": "failed", "error": failure.problem("orchestrator", lease.run.request_id)}


def _cancelled(lease: Lease, call: ToolCall, cancel: Cancelled) -> Outcome:
    """Say what a cancelled call came to: its result, nothing, or an error that it is unknown."""
    if cancel.result is not None:
        return _success(cancel.result)
    if not cancel.is_unknown:
        return {"status": "cancelled", "error": None}
    error = SystemFault(
        "upstream_failed",
        "The run was cancelled while this call was under way: it may have taken effect",
        tool=call.tool,
    ).problem("orchestrator", lease.run.request_id)
    return {"status": "cancelled", "error": error}
