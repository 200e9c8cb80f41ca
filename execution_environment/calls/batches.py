"""Runs several reads that come in one request: each is a call of its own, whatever becomes of the others."""

import asyncio
from collections.abc import Sequence

from common.errors import ClientError, SystemFault
from common.tools import ToolCall, ToolResult
from execution_environment.calls.executor import Executor

LATE = 1.0
"""Seconds beyond a call's own timeout in which it says so itself: less than who asked waits for."""


class TooManyCalls(ClientError):
    """A batch that has more calls than it may have; `body` is what it says."""

    def __init__(self, calls: Sequence[ToolCall], most: int) -> None:
        super().__init__(
            "request_too_large",
            f"A batch has at most {most} calls",
            hint="Make the calls in several batches.",
            limit=most,
            actual=len(calls),
        )
        self.body = {"calls": [call.model_dump(mode="json") for call in calls]}


class Batches:
    """Has the executor run the calls of a batch at once, as far as its threads allow."""

    def __init__(self, executor: Executor, most: int) -> None:
        """`most`: the calls that a batch may have."""
        self._executor = executor
        self._most = most
        self._going: set[asyncio.Task[ToolResult]] = set()
        """Also those that nobody waits for any more."""

    async def run(self, calls: Sequence[ToolCall]) -> list[ToolResult | BaseException]:
        """Return what each call ended with, in their order; raise `request_too_large`."""
        if len(calls) > self._most:
            raise TooManyCalls(calls, self._most)
        return await asyncio.gather(*map(self._ended, calls), return_exceptions=True)

    async def _ended(self, call: ToolCall) -> ToolResult:
        """Return a call's result in its own time: one whose thread hangs must not hold up the others.

        It goes on then: as long as its thread does, it has to hold its user's place.
        """
        task = asyncio.create_task(self._executor.run(call, only_reads=True))
        self._going.add(task)
        task.add_done_callback(self._gone)
        try:
            await asyncio.wait([task], timeout=call.context.timeout + LATE)
        except asyncio.CancelledError:  # nobody is there any more whom it could answer
            task.cancel()
            await asyncio.wait([task])
            raise
        if not task.done():
            raise SystemFault(
                "deadline_exceeded", "The call has not ended in time", outcome="not_executed"
            )
        return task.result()

    def _gone(self, task: asyncio.Task[ToolResult]) -> None:
        self._going.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: that of a late call has nobody else to hear of it
