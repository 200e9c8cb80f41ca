"""The backend: each operation in the two forms that Deep Agents asks for."""

from types import TracebackType
from typing import Self

from deepagents.backends.protocol import (
    BackendProtocol,
    DeleteResult,
    EditResult,
    FileDownloadResponse,
    FileUploadResponse,
    GlobResult,
    GrepResult,
    LsResult,
    ReadResult,
    WriteResult,
)

from agentic.api.client import AgenticClient
from agentic.harnesses.calls import PATIENCE, Calls
from agentic.harnesses.contents import Contents
from agentic.harnesses.deepagents.changing import Changing
from agentic.harnesses.deepagents.looking import Looking
from agentic.harnesses.deepagents.own_loop import OwnLoop
from agentic.harnesses.opening import Opening
from common.approvals.reviews import Policy
from common.context import Access


class AgenticBackend(BackendProtocol):
    """A `BackendProtocol` over a session; no sandbox of theirs: there is no shell, nor its tool.

    Agents see the workspace as `/`. What fails is the `error` of a result: title, code, detail and
    hint in a line. Use it as `with AgenticBackend(client) as backend`: the client becomes the
    backend's own, lives in a loop of its own, and is closed with it.
    """

    def __init__(
        self,
        client: AgenticClient,
        *,
        workspace: str | None = None,
        session_id: str | None = None,
        access: Access = "read_write",
        approval: Policy | None = None,
        approval_seconds: float = PATIENCE,
    ) -> None:
        """Without a session the first operation opens one, on a fresh workspace or a named one.

        `approval`: what asks a person, who has so many seconds; unset: as the deployment has it.
        """
        self._client = client
        self._opening = Opening(client, workspace=workspace, session_id=session_id)
        calls = Calls(
            client, self._opening, access=access, approval=approval, patience=approval_seconds
        )
        contents = Contents(client, self._opening, calls)
        self._looking, self._changing = Looking(calls, contents), Changing(calls, contents)
        self._loop = OwnLoop()

    @property
    def session_id(self) -> str | None:
        """The session, by which another backend goes on; None until there is one."""
        return self._opening.session_id

    def __enter__(self) -> Self:
        """Return the backend itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connections; the session and its workspace stay."""
        self._loop.close(self._client.__aexit__(None, None, None))

    def ls(self, path: str) -> LsResult:
        """List a directory's own entries."""
        return self._loop.wait(self._looking.ls(path))

    async def als(self, path: str) -> LsResult:
        """List a directory's own entries."""
        return await self._loop.awaited(self._looking.ls(path))

    def read(self, file_path: str, offset: int = 0, limit: int = 2000) -> ReadResult:
        """Read a page of lines, of which the first is number `offset` from 0 on."""
        return self._loop.wait(self._looking.read(file_path, offset, limit))

    async def aread(self, file_path: str, offset: int = 0, limit: int = 2000) -> ReadResult:
        """Read a page of lines, of which the first is number `offset` from 0 on."""
        return await self._loop.awaited(self._looking.read(file_path, offset, limit))

    def grep(
        self,
        pattern: str,
        path: str | None = None,
        glob: str | None = None,
        *,
        max_count: int | None = None,
    ) -> GrepResult:
        """Find the lines that have a text in them."""
        return self._loop.wait(self._looking.grep(pattern, path, glob, max_count))

    async def agrep(
        self,
        pattern: str,
        path: str | None = None,
        glob: str | None = None,
        *,
        max_count: int | None = None,
    ) -> GrepResult:
        """Find the lines that have a text in them."""
        return await self._loop.awaited(self._looking.grep(pattern, path, glob, max_count))

    def glob(self, pattern: str, path: str | None = None) -> GlobResult:
        """Find files by a glob."""
        return self._loop.wait(self._looking.glob(pattern, path))

    async def aglob(self, pattern: str, path: str | None = None) -> GlobResult:
        """Find files by a glob."""
        return await self._loop.awaited(self._looking.glob(pattern, path))

    def write(self, file_path: str, content: str) -> WriteResult:
        """Make or replace a text file."""
        return self._loop.wait(self._changing.write(file_path, content))

    async def awrite(self, file_path: str, content: str) -> WriteResult:
        """Make or replace a text file."""
        return await self._loop.awaited(self._changing.write(file_path, content))

    def edit(
        self, file_path: str, old_string: str, new_string: str, replace_all: bool = False
    ) -> EditResult:
        """Replace a text in a file."""
        work = self._changing.edit(file_path, old_string, new_string, replace_all)
        return self._loop.wait(work)

    async def aedit(
        self, file_path: str, old_string: str, new_string: str, replace_all: bool = False
    ) -> EditResult:
        """Replace a text in a file."""
        work = self._changing.edit(file_path, old_string, new_string, replace_all)
        return await self._loop.awaited(work)

    def delete(self, file_path: str) -> DeleteResult:
        """Delete a file or a directory."""
        return self._loop.wait(self._changing.delete(file_path))

    async def adelete(self, file_path: str) -> DeleteResult:
        """Delete a file or a directory."""
        return await self._loop.awaited(self._changing.delete(file_path))

    def upload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Write whole files."""
        return self._loop.wait(self._changing.upload(files))

    async def aupload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Write whole files."""
        return await self._loop.awaited(self._changing.upload(files))

    def download_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Read whole files."""
        return self._loop.wait(self._changing.download(paths))

    async def adownload_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Read whole files."""
        return await self._loop.awaited(self._changing.download(paths))
