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

    async def dry_run(tool: str, arguments: Arguments) -> ToolResult:
        call = ToolCall(
            id=f"{context.run_id or context.session_id}:preview:{secrets.token_hex(8)}",
            fence=UNFENCED,
            tool=tool,
            arguments=arguments,
            context=context,
        )
        return await dry_run_of(executor, call, traceparent, cancelled)

    return dry_run


async def dry_run_of(
    executor: Executor,
    call: ToolCall,
    traceparent: str | None = None,
    cancelled: asyncio.Event | None = None,
) -> ToolResult:
    """Return what a call would do, whatever it is to do; where it has been made, what it did (`replayed`)."""
    may_read = call.context.model_copy(update={"access": "read_only"})
    dry = call.model_copy(update={"context": may_read, "dry_run": True, "expected": None})
    wanted = cancelled or asyncio.Event()
    return await RetryingCall(_Attempts(executor), dry, traceparent, wanted).result()


class _Attempts:
    """Attempts at dry runs: none ever takes effect, so there is nothing to settle."""

    def __init__(self, executor: Executor) -> None:
        self.run = executor.run

    async def settle(self, call: ToolCall) -> Settlement:
        return Settlement(id=call.id, outcome="not_executed")
