"""Dry runs of calls for whoever is asked about them: nothing is written, and the audit
trail alone keeps a record of them."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from pydantic import JsonValue

from common.context import ExecutionContext
from common.tools import Settlement, ToolCall, ToolResult
from orchestrator.execution.retrying import Executor, RetryingCall

Arguments = dict[str, JsonValue]
DryRun = Callable[[str, Arguments], Awaitable[ToolResult]]
"""Makes a dry run of a tool, or a read, with these arguments; raises the call's error, or Cancelled."""
UNFENCED = 0
"""A dry run changes nothing, and no fence is looked at."""


def dry_runs(
    executor: Executor,
    context: ExecutionContext,
    traceparent: str | None = None,
    cancelled: asyncio.Event | None = None,
) -> DryRun:
    """Return what makes dry runs for a user; each has the context's timeout."""
    may_read = context.model_copy(update={"access": "read_only"})
    attempts = _Attempts(executor)

    async def dry_run(tool: str, arguments: Arguments) -> ToolResult:
        call = ToolCall(
            id=f"{context.run_id or context.session_id}:preview:{secrets.token_hex(8)}",
            fence=UNFENCED,
            tool=tool,
            arguments=arguments,
            context=may_read,
            dry_run=True,
        )
        return await RetryingCall(
            attempts, call, traceparent, cancelled or asyncio.Event()
        ).result()

    return dry_run


class _Attempts:
    """Attempts at dry runs: none ever takes effect, so that there is nothing to settle."""

    def __init__(self, executor: Executor) -> None:
        self.run = executor.run

    async def settle(self, call: ToolCall) -> Settlement:
        return Settlement(id=call.id, outcome="not_executed")
