"""The backend: Pydantic AI's file operations as tool calls of a session."""

import posixpath
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic_ai.workspaces import FileEntry, WorkspaceRef, WorkspaceUnavailableError

from agentic.api.client import AgenticClient
from agentic.harnesses.calls import PATIENCE, Calls
from agentic.harnesses.contents import Contents
from agentic.harnesses.faults import GONE, as_os_error, told
from agentic.harnesses.listing import entries_of
from agentic.harnesses.opening import Opening
from agentic.harnesses.paths import Root
from common.approvals.reviews import Policy
from common.context import Access
from common.errors import AgenticError

PROVIDER = "agentic"
ROOT = Root("/workspace")


class AgenticWorkspaceBackend:
    """A `WorkspaceBackend` with `SupportsFilesystem` and `SupportsRealpath`; there are no commands.

    Agents see the workspace as `/workspace`. The `ref` names a session, and holds as long as that
    is kept (`ORCHESTRATOR_SESSION_TTL` from its last use on). Errors of a path are Python's own
    (FileNotFoundError, PermissionError where a rule denies or a person rejects), a session that is
    gone is WorkspaceUnavailableError; all else is AgenticError.
    """

    def __init__(
        self,
        client: AgenticClient,
        ref: WorkspaceRef | None = None,
        *,
        workspace: str | None = None,
        access: Access = "read_write",
        approval: Policy | None = None,
        approval_seconds: float = PATIENCE,
    ) -> None:
        """Without a `ref` the first operation opens a session, on a fresh workspace or a named one.

        `approval`: what asks a person, who has so many seconds; unset: as the deployment has it.
        """
        if ref is not None and ref.provider != PROVIDER:
            raise ValueError(f"The ref is one of {ref.provider!r}, not of {PROVIDER!r}")
        session_id = None if ref is None else ref.id
        self._opening = Opening(client, workspace=workspace, session_id=session_id)
        self._calls = Calls(
            client, self._opening, access=access, approval=approval, patience=approval_seconds
        )
        self._contents = Contents(client, self._opening, self._calls)

    @property
    def ref(self) -> WorkspaceRef | None:
        """The session; None until there is one."""
        session_id = self._opening.session_id
        return None if session_id is None else WorkspaceRef(provider=PROVIDER, id=session_id)

    async def working_dir(self) -> str:
        """Return where agents see the workspace; raise WorkspaceUnavailableError if it is gone."""
        async with _translated(ROOT.path):
            await self._opening.session()
        return ROOT.path

    async def read_bytes(self, path: str) -> bytes:
        """Return a file's contents."""
        async with _translated(path):
            return await self._contents.read(ROOT.relative(path))

    async def write_bytes(self, path: str, data: bytes) -> None:
        """Make or replace a file, with the directories above it; links are not written through."""
        async with _translated(path):
            await self._contents.write(ROOT.relative(path), data)

    async def stat(self, path: str) -> FileEntry:
        """Return what there is at a path."""
        async with _translated(path):
            relative = ROOT.relative(path)
            if relative == ".":  # on the disk it is made by the first change
                await self._opening.session()
                return _entry({"path": ".", "type": "directory"})
            return _entry(await self._calls.make("get_file_info", path=relative, hash=False))

    async def list_dir(self, path: str) -> Sequence[FileEntry]:
        """Return what is in a directory, ordered by name."""
        async with _translated(path):
            found = entries_of(self._calls, "list_directory", path=ROOT.relative(path))
            return [_entry(entry) async for entry in found]

    async def make_dir(self, path: str) -> None:
        """Make a directory, and those above it; one that is there stays."""
        async with _translated(path):
            await self._calls.make("create_directory", path=ROOT.relative(path))

    async def remove(self, path: str) -> None:
        """Remove a file, a link itself, or a directory with all that is in it."""
        if ROOT.is_enclosed_by(path):
            raise ValueError(f"{path!r} has the whole workspace in it, which is not removed")
        async with _translated(path):
            await self._calls.make("delete_path", path=ROOT.relative(path), recursive=True)

    async def exists(self, path: str) -> bool:
        """Tell whether a file or a directory is at a path; outside of the workspace nothing is."""
        try:
            await self.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    async def realpath(self, path: str) -> str:
        """Return the path, normalized: no link leads anywhere, for none is followed."""
        return posixpath.normpath(path)


def _entry(found: dict[str, Any]) -> FileEntry:
    path = ROOT.absolute(found["path"])
    is_file = found["type"] == "file"
    return FileEntry(
        name=posixpath.basename(path),
        path=path,
        is_dir=found["type"] == "directory",
        size=found["size"] if is_file else None,
    )


@asynccontextmanager
async def _translated(path: str) -> AsyncIterator[None]:
    """Raise errors as Pydantic AI expects them."""
    try:
        yield
    except AgenticError as error:
        if error.code in GONE:
            raise WorkspaceUnavailableError(told(error)) from error
        raise as_os_error(error, path) or error from error
