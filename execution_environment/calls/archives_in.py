"""Archives, in: many files at once, streamed into staging, then all of them in their places or none."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from common.errors import AgenticError, ToolError
from common.files.archives import ArchiveResult
from common.files.tar_stream import TarReader
from common.models import Page
from common.tools import Receipt, ToolResult
from execution_environment.archives.hash_cache import HashCache
from execution_environment.archives.manifest import Manifest
from execution_environment.archives.noting import note_placed
from execution_environment.archives.placing import Placing
from execution_environment.archives.receiving import Contents, read_manifest
from execution_environment.archives.surveying import Survey
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.recording import failures_recorded
from execution_environment.calls.workspace_factory import WorkspaceFactory, require_access
from execution_environment.ledger.ledger import Ledger
from execution_environment.sandbox.limits import CallLimits
from execution_environment.threads import ThreadPool, until_done
from execution_environment.transactions.change_lists import ChangeLists
from execution_environment.transactions.coordinator import Coordinator
from execution_environment.transactions.transaction import Transaction
from execution_environment.workspace.workspace import Workspace

T = TypeVar("T")
FIRST = 100
"""Receipts that come with the answer; the others are asked for page by page."""
TOOL = "put_archive"


class ArchivesIn:
    """Archives, with the bounds, the audit and the once-only effects of tool calls."""

    def __init__(
        self,
        workspaces: WorkspaceFactory,
        coordinator: Coordinator,
        ledger: Ledger,
        audit: AuditWriter,
        threads: ThreadPool,
        hashes: HashCache,
        lists: ChangeLists,
    ) -> None:
        self._workspaces = workspaces
        self._coordinator = coordinator
        self._ledger = ledger
        self._audit = audit
        self._threads = threads
        self._hashes = hashes
        self._lists = lists

    async def take(
        self, asked: FileRequest, pieces: AsyncIterator[bytes], *, force: bool
    ) -> ArchiveResult:
        """Take an archive in and put its files in their places, once; `force` overrides files."""
        async with failures_recorded(self._audit, asked.call(TOOL, force=force)) as started:
            require_access("destructive", asked.context)
            workspace = await self._threads.run(
                self._workspaces.open, asked.context, started, is_bulk=True
            )
            in_time = _in_time(pieces, workspace.limits)
            try:
                tar = TarReader(in_time)
                most = workspace.change.meter.quota.entries
                manifest = await read_manifest(tar, most, self._in_thread)
                contents = Contents(manifest.contents, workspace.change, workspace.limits)
                placing = Placing(manifest, contents, self._survey, force=force)
                call = asked.call(TOOL, manifest_sha256=manifest.sha256, force=force)
                transaction = Transaction(call, workspace, placing, needs_lock=True)
                await self._receive(transaction, manifest, contents, tar, in_time)
            except BaseException:
                self._threads.run_in_background(workspace.change.cleanup)
                raise
            result = await self._coordinator.perform_upload(transaction)
            return await self._in_thread(self._answer, result, workspace, placing)

    async def receipts(
        self, workspace: str, call_id: str, cursor: str | None, limit: int
    ) -> Page[Receipt]:
        """Return a page of what an archive has changed in `<user>/<workspace>`."""
        return await self._threads.run(self._page, workspace, call_id, cursor, limit)

    async def _receive(
        self,
        transaction: Transaction,
        manifest: Manifest,
        contents: Contents,
        tar: TarReader,
        pieces: AsyncIterator[bytes],
    ) -> None:
        """Take the contents in; what an earlier attempt has done needs none, and no room.

        They are read to their end all the same: an answer before it would be lost.
        """
        has_happened = await self._has_happened(transaction)
        if not has_happened:
            try:
                await self._in_thread(contents.make_room, manifest, transaction.workspace.reader)
                await contents.receive(tar, self._in_thread)
            except (AgenticError, OSError):
                has_happened = await self._has_happened(transaction)
                if not has_happened:
                    raise
        if has_happened:
            async for _ in pieces:
                pass

    async def _has_happened(self, transaction: Transaction) -> bool:
        return await self._in_thread(self._ledger.find, transaction.key) is not None

    async def _in_thread(self, func: Callable[..., T], *arguments: object) -> T:
        """Wait also when that is cancelled: what is received is removed when no thread adds to it."""
        return await until_done(self._threads.run_admitted(func, *arguments))

    def _survey(self, workspace: Workspace) -> Survey:
        return Survey(workspace.files.root, workspace.limits, self._hashes)

    def _answer(self, result: ToolResult, workspace: Workspace, placing: Placing) -> ArchiveResult:
        if not result.replayed:
            note_placed(workspace.files.root, self._hashes, placing.placed)
        page = self._receipts_of(result, None, FIRST)
        return ArchiveResult.model_validate(
            {
                **result.output,
                "id": result.id,
                "receipts": page.items,
                "next_cursor": page.next_cursor,
                "replayed": result.replayed,
                "duration_ms": result.duration_ms,
            }
        )

    def _page(self, workspace: str, call_id: str, cursor: str | None, limit: int) -> Page[Receipt]:
        result = self._result_of(workspace, call_id)
        if result is None:
            raise ToolError(
                "path_not_found",
                "No archive was put into this workspace under this id, or it is long ago",
                hint="Send the id of the archive's answer.",
            )
        return self._receipts_of(result, cursor, limit)

    def _result_of(self, workspace: str, call_id: str) -> ToolResult | None:
        """Return what is stored of an archive that was put into a workspace."""
        stored = self._ledger.stored(call_id)
        if stored is None or stored.result is None or stored.workspace != workspace:
            return None
        result = ToolResult.model_validate_json(stored.result)
        return result if result.tool == TOOL else None

    def _receipts_of(self, result: ToolResult, cursor: str | None, limit: int) -> Page[Receipt]:
        sha256 = result.output.get("receipts_sha256")
        if sha256 is None:
            return Page(items=[])
        items, following = self._lists.receipts(str(sha256), cursor, limit)
        return Page(items=items, next_cursor=following)


async def _in_time(pieces: AsyncIterator[bytes], limits: CallLimits) -> AsyncIterator[bytes]:
    """Yield pieces until the call's deadline."""
    async for piece in pieces:
        limits.check_deadline()
        yield piece
