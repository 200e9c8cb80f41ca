"""Whole files, out: streamed, never held in memory."""

from collections.abc import AsyncIterator
from typing import Any

from common.tools import ToolCall
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.recording import failures_recorded
from execution_environment.calls.workspace_factory import WorkspaceFactory
from execution_environment.threads import ThreadPool
from execution_environment.transactions.transaction import Transaction
from execution_environment.workspace.streams import OutgoingFile
from execution_environment.workspace.workspace import Workspace

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
        workspace = self._workspaces.open(call.context, started)
        opened: list[OutgoingFile] = []

        def open_file(workspace: Workspace) -> dict[str, Any]:
            opened.append(workspace.reader.open_file(str(call.arguments["path"])))
            return {"size": opened[0].status.st_size}

        transaction = Transaction(call, workspace, open_file)
        transaction.stage()
        self._audit.append(transaction.audit_entry(transaction.result()))
        return opened[0]

    async def send(self, outgoing: OutgoingFile, wanted: range) -> AsyncIterator[bytes]:
        """Yield these bytes of a file."""
        for offset in range(wanted.start, wanted.stop, CHUNK):
            size = min(CHUNK, wanted.stop - offset)
            yield await self._threads.run_admitted(outgoing.read, offset, size)
