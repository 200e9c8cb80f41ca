"""Many files at once, out: what differs from a manifest, and archives; streamed, never held in memory."""

import time
from collections.abc import AsyncIterator, Callable

from common.errors import ClientError, SystemFault
from common.tools import ToolCall
from execution_environment.archives.comparing import Comparison, compare
from execution_environment.archives.hash_cache import HashCache
from execution_environment.archives.manifest import Manifest, ManifestReader
from execution_environment.archives.packing import pack
from execution_environment.archives.sending import (
    Outgoing,
    Pieces,
    archive_of,
    lines_of,
    require_sizes,
)
from execution_environment.archives.surveying import Survey
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
from execution_environment.sandbox.homes import find_home
from execution_environment.threads import ThreadPool
from execution_environment.workspace.reader import Reader

DIFF, GET = "diff_archive", "get_archive"
"""What stands for a tool in the audit trail."""


class ArchivesOut:
    """Diffs and archives, with the bounds and the audit of tool calls; a context may be read-only."""

    def __init__(
        self,
        workspaces: WorkspaceFactory,
        hashes: HashCache,
        audit: AuditWriter,
        threads: ThreadPool,
    ) -> None:
        self._workspaces = workspaces
        self._hashes = hashes
        self._audit = audit
        self._threads = threads

    async def diff(
        self, asked: FileRequest, pieces: AsyncIterator[bytes], *, is_archive: bool
    ) -> Outgoing:
        """Compare a workspace with a manifest; return lines, or an archive with the contents.

        The caller closes what it gets.
        """
        async with failures_recorded(self._audit, asked.call(DIFF)) as started:
            reader = self._workspaces.open_reader(asked.context, started)
            manifest = await self._manifest(pieces, reader)
            call = asked.call(DIFF, manifest_sha256=manifest.sha256)

            def answer() -> Outgoing:
                comparison = self._compared(manifest, reader)
                return Outgoing(_sent(comparison, reader, is_archive), reader.limits)

            return await self._run(call, reader, answer)

    async def get(self, asked: FileRequest) -> Outgoing:
        """Return an archive of what is at a path; the caller closes it."""
        async with failures_recorded(self._audit, asked.call(GET)) as started:
            reader = self._workspaces.open_reader(asked.context, started)

            def answer() -> Outgoing:
                return Outgoing(pack(reader, asked.path), reader.limits)

            return await self._run(asked.call(GET), reader, answer)

    async def send(self, outgoing: Outgoing) -> AsyncIterator[bytes]:
        """Yield an answer, piece by piece."""
        while piece := await self._threads.run_admitted(outgoing.read):
            yield piece

    async def _manifest(self, pieces: AsyncIterator[bytes], reader: Reader) -> Manifest:
        incoming = ManifestReader(self._workspaces.max_entries)
        async for piece in pieces:
            reader.limits.check_deadline()
            await self._threads.run_admitted(incoming.feed, piece)
        manifest = await self._threads.run_admitted(incoming.finish)
        for entry in manifest.entries.values():
            if entry.sha256 is None:
                raise ClientError(
                    "invalid_archive", f"'{entry.shown}' is deleted: a diff compares what is there"
                )
        return manifest

    async def _run(
        self, call: ToolCall, reader: Reader, answer: Callable[[], Outgoing]
    ) -> Outgoing:
        """Do the work in one of the user's threads; it is on record before it is sent."""

        def work() -> Outgoing:
            since = time.monotonic()
            reader.limits.check_deadline()
            outgoing = answer()
            digest, duration = arguments_digest(call.arguments), milliseconds_since(since)
            self._audit.append(entry_of(call, digest, EXECUTED, duration_ms=duration))
            return outgoing

        return await self._threads.run_for(call.context.user_id, reader.limits.deadline, work)

    def _compared(self, manifest: Manifest, reader: Reader) -> Comparison:
        root = reader.root
        before = find_home(root.descriptor, root.base)
        survey = Survey(root, reader.limits, self._hashes)
        generation = None if before is None else before.generation
        comparison = compare(manifest, survey, generation)
        after = find_home(root.descriptor, root.base)
        if generation != (None if after is None else after.generation):
            raise SystemFault("unavailable", "The workspace was made or deleted meanwhile")
        return comparison


def _sent(comparison: Comparison, reader: Reader, is_archive: bool) -> Pieces:
    if not is_archive:
        return lines_of(comparison)
    require_sizes(comparison)
    return archive_of(comparison, reader)
