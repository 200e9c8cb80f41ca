"""Makes one call for a client that may go at any moment: then it has happened, or it never will."""

import asyncio

import anyio

from common.tools import ToolCall, ToolResult
from orchestrator.execution.retrying import Cancelled, Executor, RetryingCall


class Gone(asyncio.CancelledError):  # passes through like any other cancellation
    """The client has gone; `result` is there where its call had taken effect."""

    def __init__(self, result: ToolResult | None) -> None:
        super().__init__("the client has gone")
        self.result = result


async def made(executor: Executor, call: ToolCall, traceparent: str | None) -> ToolResult:
    """Return a call's result; raise its error, or Gone when the request is cancelled meanwhile."""
    cancelled = asyncio.Event()
    making = asyncio.ensure_future(RetryingCall(executor, call, traceparent, cancelled).result())
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        cancelled.set()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({making})
        raise Gone(_outcome(making)) from None


def _outcome(making: asyncio.Future[ToolResult]) -> ToolResult | None:
    failure = making.exception()
    if failure is None:
        return making.result()
    return failure.result if isinstance(failure, Cancelled) else None
