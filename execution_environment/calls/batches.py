"""Runs several reads that come in one request: each is a call of its own, whatever becomes of the others."""

import asyncio
from collections.abc import Sequence

from common.errors import ClientError
from common.tools import ToolCall, ToolResult
from execution_environment.calls.executor import Executor


class Batches:
    """Has the executor run the calls of a batch at once, as far as its threads allow."""

    def __init__(self, executor: Executor, most: int) -> None:
        """`most`: the calls that a batch may have."""
        self._executor = executor
        self._most = most

    async def run(self, calls: Sequence[ToolCall]) -> list[ToolResult | BaseException]:
        """Return what each call ended with, in their order; raise `request_too_large`."""
        if len(calls) > self._most:
            raise ClientError(
                "request_too_large",
                f"A batch has at most {self._most} calls",
                limit=self._most,
                actual=len(calls),
            )
        reads = (self._executor.run(call, only_reads=True) for call in calls)
        return await asyncio.gather(*reads, return_exceptions=True)
