"""Makes one call for a client that may go at any moment: then it has happened, or it never will."""

import asyncio
from typing import Any

import anyio

from common.tools import ToolCall, ToolResult
from orchestrator.execution.retrying import Cancelled, Executor, RetryingCall

LAST = 1.0
"""Seconds to find out what has become of a call when the process ends, after the grace of requests."""


class Gone(asyncio.CancelledError):  # passes through like any other cancellation
    """The client has gone; `result` is there where its call had taken effect."""

    def __init__(self, result: ToolResult | None) -> None:
        super().__init__("the client has gone")
        self.result = result


async def made(
    executor: Executor, call: ToolCall, traceparent: str | None, ending: asyncio.Event
) -> ToolResult:
    """Return a call's result; raise its error, or Gone when the request is cancelled meanwhile.

    `ending`: the process ends, and what has become of a call is not waited for any longer than LAST.
    """
    cancelled = asyncio.Event()
    making = asyncio.ensure_future(RetryingCall(executor, call, traceparent, cancelled).result())
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        cancelled.set()
        with anyio.CancelScope(shield=True):
            await _settle(making, ending)
        raise Gone(_outcome(making)) from None


async def _settle(making: asyncio.Future[ToolResult], ending: asyncio.Event) -> None:
    """Wait for what becomes of a call; an execution environment that hangs keeps no process alive."""
    ended = asyncio.ensure_future(ending.wait())
    either: set[asyncio.Future[Any]] = {making, ended}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    await asyncio.wait({making}, timeout=LAST)
    making.cancel()
    await asyncio.wait({making})


def _outcome(making: asyncio.Future[ToolResult]) -> ToolResult | None:
    if making.cancelled():
        return None
    failure = making.exception()
    if failure is None:
        return making.result()
    return failure.result if isinstance(failure, Cancelled) else None
