"""Sends reads that are asked for at the same moment in one request; each has its own result or error."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from common.errors import AgenticError, ClientError, error
from common.tools import Settlement, ToolCall, ToolResult

Ended = ToolResult | AgenticError | None
"""None: the call has to be made by itself."""


class Batcher(Protocol):
    """What makes attempts: one, or several at once."""

    async def run(self, call: ToolCall, traceparent: str | None = None) -> ToolResult:
        """Make one attempt; raise AgenticError with a truthful outcome."""

    async def call_many(
        self, calls: Sequence[ToolCall], traceparent: str | None = None
    ) -> Sequence[ToolResult | AgenticError]:
        """Make an attempt at each; return what each ended with, in order."""

    async def settle(self, call: ToolCall) -> Settlement:
        """Return what became of a call."""


class Batching:
    """An executor of reads of one turn: those that are asked of it in one tick of the loop go together."""

    def __init__(self, executor: Batcher) -> None:
        self._executor = executor
        self._batch = _Batch(is_open=False)
        self.settle = executor.settle

    async def run(self, call: ToolCall, traceparent: str | None = None) -> ToolResult:
        """Make one attempt; raise its error."""
        if not self._batch.is_open:
            self._batch = _Batch()
            self._batch.sending = asyncio.create_task(self._send(self._batch, traceparent))
        ended = await self._batch.outcome_of(call)
        if ended is None:
            return await self._executor.run(call, traceparent)
        if isinstance(ended, AgenticError):
            raise ended
        return ended

    async def _send(self, batch: "_Batch", traceparent: str | None) -> Sequence[Ended]:
        batch.is_open = False
        each_by_itself = [None] * len(batch.calls)
        if len(batch.calls) == 1:
            return each_by_itself
        try:
            return await self._executor.call_many(batch.calls, traceparent)
        except (
            ClientError
        ):  # one of them, too many of them, or an older service: each has its own answer
            return each_by_itself


class _Batch:
    """Calls that go together, and who waits for them."""

    sending: asyncio.Task[Sequence[Ended]]

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        """Whether it is not sent yet, and others can join it."""
        self.calls: list[ToolCall] = []
        self._waiting = 0

    async def outcome_of(self, call: ToolCall) -> Ended:
        """Add a call; return what it ends with. It is given up when nobody waits for it any more."""
        place = len(self.calls)
        self.calls.append(call)
        self._waiting += 1
        try:
            return (await asyncio.shield(self.sending))[place]
        except AgenticError as failure:
            raise _copy(failure) from failure  # what each comes to mean is its call's own
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.is_open = False
                self.sending.cancel()


def _copy(failure: AgenticError) -> AgenticError:
    copied = error(failure.code, failure.detail)
    vars(copied).update(vars(failure))
    return copied
