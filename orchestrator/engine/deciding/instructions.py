"""Reads the workspace's AGENTS.md: how its owner wants work to be done in it."""

import asyncio
from datetime import timedelta

from pydantic import JsonValue

from common.errors import AgenticError, ToolError
from common.tools import ToolResult
from orchestrator.engine.calls import meaning_of, own_read
from orchestrator.execution.retrying import Executor, RetryingCall
from orchestrator.store.records import Lease

FILE = "AGENTS.md"
MAX_BYTES = 32 * 1024
"""Bytes of it that a run keeps to."""


class WorkspaceInstructions:
    """Reads them once for a run, before its first turn keeps them."""

    def __init__(self, executor: Executor, call_timeout: timedelta) -> None:
        self._executor = executor
        self._call_timeout = call_timeout.total_seconds()

    async def read(self, lease: Lease, seconds_left: float) -> str | None:
        """Return what the file says; None where there is none that can be read as text.

        Raises the SystemFault or ClientError that a step would fail with, or FenceTooLow.
        """
        arguments: dict[str, JsonValue] = {"path": FILE, "max_bytes": MAX_BYTES, "hash": False}
        timeout = min(self._call_timeout, seconds_left)
        sent = own_read(lease, "read_file", arguments, timeout=timeout)
        # Whoever waits for this stops waiting when the run is cancelled: a read leaves nothing behind.
        never = asyncio.Event()
        call = RetryingCall(self._executor, sent, lease.run.traceparent, never)
        try:
            return _text(await call.result())
        except ToolError:
            return None
        except AgenticError as failure:
            meant = meaning_of(failure, lease)
            if meant is failure:
                raise
            raise meant from failure


def _text(result: ToolResult) -> str | None:
    content = str(result.output.get("content", ""))
    if not content.strip():
        return None
    if not result.output.get("truncated"):
        return content
    return f"{content}\n[{FILE} goes on: only its first {MAX_BYTES} bytes are given here]"
