"""An audit entry for every call that fails: with an error of ours, or one that nobody foresaw."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from common.tools import ToolCall
from execution_environment.audit.records import entry_of_failure
from execution_environment.audit.writer import AuditWriter


@asynccontextmanager
async def failures_recorded(audit: AuditWriter, call: ToolCall) -> AsyncIterator[float]:
    """Yield when the call began, on the monotonic clock in seconds; put its failure on record."""
    started = time.monotonic()
    try:
        yield started
    except Exception as failure:
        entry = entry_of_failure(call, failure, started)
        await asyncio.to_thread(audit.append, entry)
        raise
