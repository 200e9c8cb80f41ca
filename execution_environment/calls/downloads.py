"""Whole files, out: streamed, never held in memory."""

import time
from collections.abc import AsyncIterator

from common.tools import ToolCall
from execution_environment.audit.records import (
    EXECUTED,
    arguments_digest,
    entry_of,
    milliseconds_since,
)
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.recording import failures_recorded
from execution_environment.calls.workspace_factory import WorkspaceFactory
from execution_environment.threads import ThreadPool
from execution_environment.workspace.streams import OutgoingFile

CHUNK = 256 * 1024
"""Bytes that are read in one go."""


class Downloads:
    """Downloads, with the bounds and the audit of tool calls."""

    def __init__(
        self, workspaces: WorkspaceFactory, audit: AuditWriter, threads: ThreadPool
    ) -> None:
        self._workspaces = workspaces
        self._audit = audit
        self._threads = threads

    async def open(self, asked: FileRequest) -> OutgoingFile:
        """Open a file to be sent; the caller closes it."""
        call = asked.call("download_file")
        async with failures_recorded(self._audit, call) as started:
            user, deadline = call.context.user_id, started + call.context.timeout
            return await self._threads.run_for(user, deadline, self._open, call, started)

    def _open(self, call: ToolCall, started: float) -> OutgoingFile:
        in_thread_since = time.monotonic()
        reader = self._workspaces.open_reader(call.context, started)
        reader.limits.check_deadline()
        outgoing = reader.open_file(str(call.arguments["path"]))
        try:
            digest, duration = arguments_digest(call.arguments), milliseconds_since(in_thread_since)
            self._audit.append(entry_of(call, digest, EXECUTED, duration_ms=duration))
        except BaseException:
            outgoing.close()
            raise
        return outgoing

    async def send(self, outgoing: OutgoingFile, wanted: range) -> AsyncIterator[bytes]:
        """Yield these bytes of a file."""
        for offset in range(wanted.start, wanted.stop, CHUNK):
            size = min(CHUNK, wanted.stop - offset)
            yield await self._threads.run_admitted(outgoing.read, offset, size)
