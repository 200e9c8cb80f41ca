"""Makes one tool call until its outcome is known: attempts, pauses, the deadline, a cancel.

The execution environment applies an id once, so a lost answer is asked for again under the same
id. When that must end (the deadline, a cancel, an error of another kind) while an earlier attempt
may still take effect, the call is settled: it has happened, or it never will.
"""

import asyncio
import random
import time
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from common.errors import AgenticError, SystemFault
from common.tools import Settlement, ToolCall, ToolResult

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
"""Seconds between attempts: doubled each time, with jitter."""
SETTLE_TIME = 10.0
"""Seconds for which a settlement is asked for."""

T = TypeVar("T")


class Executor(Protocol):
    """What makes one attempt: the execution client, or a fake."""

    async def run(self, call: ToolCall, traceparent: str | None = None) -> ToolResult:
        """Make one attempt; raise AgenticError with a truthful outcome."""

    async def settle(self, call: ToolCall) -> Settlement:
        """Return what became of a call, which never takes effect afterwards if it has not yet."""


class Cancelled(Exception):
    """The run was cancelled while a call was being made or waited for.

    `result` is there when the call had taken effect; `is_unknown` when nobody can tell.
    """

    def __init__(self, result: ToolResult | None = None, *, is_unknown: bool = False) -> None:
        super().__init__("cancelled")
        self.result = result
        self.is_unknown = is_unknown


class RetryingCall:
    """One call that is made until its outcome is known.

    It is `open` while an attempt may still take effect: from its sending until an answer that
    rules this out. Only an open call is settled in the end.
    """

    def __init__(
        self,
        executor: Executor,
        call: ToolCall,
        traceparent: str | None,
        cancelled: asyncio.Event,
        *,
        is_open: bool = False,
    ) -> None:
        """Begin the call's time. `is_open`: a worker that was lost may have made it before."""
        self.attempts = 0
        self.is_open = is_open
        self._executor = executor
        self._call = call
        self._traceparent = traceparent
        self._cancelled = cancelled
        self._deadline = time.monotonic() + call.context.timeout

    async def result(self) -> ToolResult:
        """Try until there is an answer; the call's own timeout (seconds) bounds all attempts.

        Raises the last attempt's error, `unknown` only when settling failed as well; or Cancelled;
        or `fenced` when a newer owner of the session has been seen.
        """
        try:
            return await self._attempt_until_answered()
        except AgenticError as failure:
            if not self.is_open:
                raise
            return await self._settle_after(failure)
        except _Interrupted:
            raise await self._cancellation() from None

    async def _attempt_until_answered(self) -> ToolResult:
        pause = FIRST_PAUSE
        while not self._cancelled.is_set():
            try:
                return await self._attempt()
            except AgenticError as failure:
                jitter = random.uniform(0.75, 1.0)  # noqa: S311  # not for secrets
                pause = min(2 * pause, LONGEST_PAUSE) * jitter
                if not _may_repeat(failure) or time.monotonic() + pause >= self._deadline:
                    raise
            await self._unless_cancelled(asyncio.sleep(pause))
        raise _Interrupted

    async def _attempt(self) -> ToolResult:
        self.attempts += 1
        # An answer speaks for its own attempt only: an earlier one that was lost stays open.
        was_open, self.is_open = self.is_open, True
        call = _within(self._call, self._deadline)
        try:
            return await self._unless_cancelled(self._executor.run(call, self._traceparent))
        except AgenticError as failure:
            self.is_open = was_open or failure.outcome == "unknown"
            raise

    async def _settle_after(self, failure: AgenticError) -> ToolResult:
        """Return the result of a call that took effect after all; raise the failure otherwise."""
        settlement = await self._settled()
        if settlement is None:
            raise _unknown(failure)
        if settlement.result is not None:
            return settlement.result
        failure.outcome = "not_executed"
        raise failure

    async def _cancellation(self) -> Cancelled:
        """Settle a call that is cancelled: nothing takes effect after the run has ended."""
        if not self.is_open:
            return Cancelled()
        settlement = await self._settled()
        if settlement is None:
            return Cancelled(is_unknown=True)
        return Cancelled(settlement.result)

    async def _settled(self) -> Settlement | None:
        """Return what became of the call; None when that cannot be found out in time.

        Raises `fenced`: a newer owner has taken over, and what becomes of the call is its business.
        """
        deadline = time.monotonic() + SETTLE_TIME
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._executor.settle(self._call)
            except AgenticError as failure:
                if failure.code == "fenced":
                    raise
                is_hopeless = not isinstance(failure, SystemFault)
                if is_hopeless or time.monotonic() + pause >= deadline:
                    return None
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _unless_cancelled(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        cancel = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({task, cancel}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise _Interrupted
        finally:
            cancel.cancel()
            task.cancel()
            await asyncio.gather(task, cancel, return_exceptions=True)


class _Interrupted(Exception):  # reads as the state it is
    pass


def _may_repeat(failure: AgenticError) -> bool:
    """Tell whether another attempt may get an answer: of a lost one, or of a busy service."""
    is_lost = failure.outcome == "unknown" and failure.source is None
    return isinstance(failure, SystemFault) and (is_lost or failure.retryable is True)


def _within(call: ToolCall, deadline: float) -> ToolCall:
    left = max(deadline - time.monotonic(), 0.001)
    return call.model_copy(update={"context": call.context.model_copy(update={"timeout": left})})


def _unknown(failure: AgenticError) -> AgenticError:
    """Return the failure, or one that says what it cannot: that an earlier answer was lost."""
    if failure.outcome == "unknown":
        return failure
    return SystemFault("upstream_failed", f"An answer was lost, and then: {failure.detail}")
