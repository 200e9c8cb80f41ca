"""Whole files, out and in: streamed, never held in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers

from common.context import ExecutionContext
from common.errors import AgenticError, ToolError
from common.tools import ToolCall, ToolResult
from execution_environment.audit.writer import Audit
from execution_environment.calls.downloads import Download, Upload
from execution_environment.calls.workspace_factory import Workspaces
from execution_environment.ledger.ledger import Ledger
from execution_environment.threads import Pool
from execution_environment.transactions.coordinator import Changer
from execution_environment.transactions.transaction import record_of_failure
from execution_environment.workspace.entry_mover import Workspace
from execution_environment.workspace.streams import Incoming, Outgoing

CHUNK = 256 * 1024
"""Bytes that are read, or written, in one go."""


@dataclass(frozen=True)
class Transfer:
    """Which file is asked for: by whom, in which workspace, under which id."""

    id: str
    fence: int
    path: str
    context: ExecutionContext

    def call(self, tool: str, **more: str) -> ToolCall:
        """Return the call that it amounts to."""
        return ToolCall(
            id=self.id,
            fence=self.fence,
            tool=tool,
            arguments={"path": self.path, **more},
            context=self.context,
        )


class Files:
    """Downloads and uploads, with the bounds, the audit and the once-only effects of tool calls."""

    def __init__(
        self, workspaces: Workspaces, changer: Changer, ledger: Ledger, audit: Audit, pool: Pool
    ) -> None:
        self._workspaces = workspaces
        self._changer = changer
        self._ledger = ledger
        self._audit = audit
        self._pool = pool

    async def open(self, transfer: Transfer) -> Outgoing:
        """Open a file to be sent; the caller closes it."""
        call, started = transfer.call("download_file"), time.monotonic()
        async with self._recorded(call, started):
            return await self._pool.run_for(
                call.context.user_id,
                started + call.context.timeout,
                lambda: self._open(call, started),
            )

    def _open(self, call: ToolCall, started: float) -> Outgoing:
        workspace, quota = self._workspaces.open(call.context, started)
        download = Download(call, workspace, quota)
        download.stage()
        self._audit.append(download.record(download.result()))
        return download.outgoing

    async def send(self, outgoing: Outgoing, wanted: range) -> AsyncIterator[bytes]:
        """Yield these bytes of a file."""
        for offset in range(wanted.start, wanted.stop, CHUNK):
            size = min(CHUNK, wanted.stop - offset)
            yield await self._pool.finish(_reading(outgoing, offset, size))

    async def take(
        self, transfer: Transfer, conditions: Headers, pieces: AsyncIterator[bytes]
    ) -> ToolResult:
        """Take a file in and put it in its place, once."""
        started = time.monotonic()
        async with self._recorded(transfer.call("upload_file"), started):
            if transfer.context.access == "read_only":
                raise ToolError("permission_denied", "This call may only read", errno="EROFS")
            workspace, quota = await self._pool.run(
                lambda: self._workspaces.open(transfer.context, started)
            )
            incoming = await self._pool.run(workspace.receive)
            try:
                await self._fill(incoming, workspace, transfer, pieces)
            except BaseException:
                self._pool.afterwards(workspace.sweep)
                raise
            call = transfer.call("upload_file", sha256=incoming.sha256)
            draft = Upload(call, workspace, quota, incoming, conditions)
            return await self._changer.make(draft)

    async def _fill(
        self,
        incoming: Incoming,
        workspace: Workspace,
        transfer: Transfer,
        pieces: AsyncIterator[bytes],
    ) -> None:
        freeing = self._pool.run(lambda: _free_what_goes(workspace, transfer.path))
        await self._or_compare(freeing, incoming, transfer.id)
        async for piece in pieces:
            workspace.bounds.check_deadline()
            writing = self._pool.finish(_writing(incoming, piece))
            await self._or_compare(writing, incoming, transfer.id)
        await self._pool.finish(incoming.finish)

    async def _or_compare(
        self, work: Coroutine[Any, Any, None], incoming: Incoming, call_id: str
    ) -> None:
        """Do the work; where it fails for a call that has happened, its content is only compared.

        What an earlier attempt has done needs no place and no room any more.
        """
        try:
            await work
        except (AgenticError, OSError):
            if not await self._pool.finish(lambda: self._ledger.has(call_id)):
                raise
            incoming.is_kept = False

    @asynccontextmanager
    async def _recorded(self, call: ToolCall, started: float) -> AsyncIterator[None]:
        try:
            yield
        except Exception as failure:
            record = record_of_failure(call, failure, started)
            await asyncio.to_thread(self._audit.append, record)
            raise


def _free_what_goes(workspace: Workspace, path: str) -> None:
    """Make room for as much as the file that is replaced takes up."""
    status = workspace.find(path)
    if status is not None:
        workspace.bounds.meter.add(-status.st_size)


def _reading(outgoing: Outgoing, offset: int, size: int) -> Callable[[], bytes]:
    return lambda: outgoing.read(offset, size)


def _writing(incoming: Incoming, piece: bytes) -> Callable[[], None]:
    return lambda: incoming.write(piece)
