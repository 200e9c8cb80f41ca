"""Whole files, in: streamed into staging, never held in memory, then put in their place once."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.datastructures import Headers

from common.errors import AgenticError, SystemFault
from common.tools import ToolResult
from common.web.conditions import Validators, require_match
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.recording import failures_recorded
from execution_environment.calls.workspace_factory import WorkspaceFactory, require_access
from execution_environment.ledger.ledger import Ledger
from execution_environment.threads import ThreadPool, until_done
from execution_environment.transactions.coordinator import Coordinator
from execution_environment.transactions.transaction import Operation, Transaction
from execution_environment.workspace.streams import IncomingFile, etag_of, modified_at
from execution_environment.workspace.workspace import Workspace


class Uploads:
    """Uploads, with the bounds, the audit and the once-only effects of tool calls."""

    def __init__(
        self,
        workspaces: WorkspaceFactory,
        coordinator: Coordinator,
        ledger: Ledger,
        audit: AuditWriter,
        threads: ThreadPool,
    ) -> None:
        self._workspaces = workspaces
        self._coordinator = coordinator
        self._ledger = ledger
        self._audit = audit
        self._threads = threads

    async def take(
        self, asked: FileRequest, conditions: Headers, pieces: AsyncIterator[bytes]
    ) -> ToolResult:
        """Take a file in and put it in its place, once."""
        async with failures_recorded(self._audit, asked.call("upload_file")) as started:
            require_access("write", asked.context)
            workspace = await self._threads.run(self._workspaces.open, asked.context, started)
            try:
                upload = await until_done(self._threads.run(workspace.change.receive))
                await self._fill(upload, workspace, asked, pieces)
            except BaseException:
                self._threads.run_in_background(workspace.change.cleanup)
                raise
            call = asked.call("upload_file", sha256=upload.sha256)
            placing = _placing(asked.path, upload, conditions)
            return await self._coordinator.perform_upload(Transaction(call, workspace, placing))

    async def _fill(
        self,
        upload: IncomingFile,
        workspace: Workspace,
        asked: FileRequest,
        pieces: AsyncIterator[bytes],
    ) -> None:
        await self._or_compare(upload, asked.id, _credit_what_goes, workspace, asked.path)
        async for piece in pieces:
            workspace.limits.check_deadline()
            await self._or_compare(upload, asked.id, upload.write, piece)
        await self._threads.run_admitted(upload.finish)

    async def _or_compare(
        self, upload: IncomingFile, call_id: str, func: Callable[..., None], *arguments: object
    ) -> None:
        """Do some of the work; where it fails for a call that has happened, content is only compared.

        What an earlier attempt has done needs no place and no room any more.
        """
        try:
            await self._threads.run_admitted(func, *arguments)
        except (AgenticError, OSError):
            if not await self._threads.run_admitted(self._ledger.has, call_id):
                raise
            upload.is_kept = False


def _credit_what_goes(workspace: Workspace, path: str) -> None:
    """Make room for as much as the file that is replaced takes up."""
    status = workspace.reader.find(path)
    if status is not None:
        workspace.change.meter.add(-status.st_size)


def _placing(path: str, upload: IncomingFile, conditions: Headers) -> Operation:
    """Return the operation that puts an upload in its place.

    It checks the request's conditions against what is there, each time that it is staged.
    """

    def place(workspace: Workspace) -> dict[str, Any]:
        if not upload.is_kept:
            raise SystemFault("unavailable", "An earlier attempt has come to nothing meanwhile")
        workspace.change.meter.reset()
        status = workspace.reader.find(path)
        current = None if status is None else Validators(etag_of(status), modified_at(status))
        require_match(conditions, current)
        before = None if status is None else workspace.reader.snapshot(path, 0)
        workspace.files.put_upload(path, upload, before)
        return {"size": upload.size, "sha256": upload.sha256}

    return place
