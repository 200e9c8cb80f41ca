"""One tool call until it is settled: attempts, pauses between them, the deadline and a cancel."""

import asyncio
import random
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from common.errors import AgenticError, SystemFault
from common.tools import ToolCall, ToolResult

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
"""Seconds between attempts: doubled each time, with jitter."""

T = TypeVar("T")


class Executor(Protocol):
    """What makes one attempt: the execution client, or a fake."""

    async def run(self, call: ToolCall, traceparent: str | None = None) -> ToolResult:
        """Make one attempt; raise AgenticError with a truthful outcome."""


class Cancelled(Exception):
    """The run was cancelled while a call was being made or waited for.

    `in_flight` tells whether an attempt was under way, whose outcome is then unknown.
    """

    def __init__(self, in_flight: bool) -> None:
        super().__init__("cancelled")
        self.in_flight = in_flight


@dataclass
class Attempts:
    """How often a call was tried."""

    count: int = 0


async def settle(
    executor: Executor,
    call: ToolCall,
    traceparent: str | None,
    cancelled: asyncio.Event,
    attempts: Attempts,
) -> ToolResult:
    """Try until there is an answer, repeating only what cannot have taken effect.

    The call's own timeout (seconds) bounds all attempts together. Raises the last attempt's error,
    or Cancelled.
    """
    deadline = time.monotonic() + call.context.timeout
    pause = FIRST_PAUSE
    while True:
        attempts.count += 1
        try:
            return await _unless(
                cancelled, executor.run(_within(call, deadline), traceparent), in_flight=True
            )
        except AgenticError as failure:
            jitter = random.uniform(0.75, 1.0)  # noqa: S311  # not for secrets
            pause = min(2 * pause, LONGEST_PAUSE) * jitter
            if not _may_repeat(failure) or time.monotonic() + pause >= deadline:
                raise
        await _unless(cancelled, asyncio.sleep(pause), in_flight=False)


def _may_repeat(failure: AgenticError) -> bool:
    return (
        isinstance(failure, SystemFault)
        and failure.retryable is True
        and failure.outcome == "not_executed"
    )


def _within(call: ToolCall, deadline: float) -> ToolCall:
    left = max(deadline - time.monotonic(), 0.001)
    return call.model_copy(update={"context": call.context.model_copy(update={"timeout": left})})


async def _unless(cancelled: asyncio.Event, work: Awaitable[T], in_flight: bool) -> T:
    task = asyncio.ensure_future(work)
    cancel = asyncio.ensure_future(cancelled.wait())
    try:
        await asyncio.wait({task, cancel}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Cancelled(in_flight)
    finally:
        cancel.cancel()
        task.cancel()
        await asyncio.gather(task, cancel, return_exceptions=True)
