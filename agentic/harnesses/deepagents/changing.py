"""What changes files, and what sends and fetches whole ones."""

from typing import Any

from deepagents.backends.protocol import (
    DeleteResult,
    EditResult,
    FileDownloadResponse,
    FileUploadResponse,
    WriteResult,
)
from pydantic import JsonValue

from agentic.harnesses.calls import Calls
from agentic.harnesses.contents import Contents
from agentic.harnesses.deepagents.answering import answers, code_of
from agentic.harnesses.deepagents.looking import ROOT
from agentic.harnesses.faults import told
from common.errors import AgenticError, ToolError


class Changing:
    """The writing half of the backend; each of its changes takes effect once, and whole."""

    def __init__(self, calls: Calls, contents: Contents) -> None:
        self._calls = calls
        self._contents = contents

    @answers(WriteResult)
    async def write(self, path: str, content: str) -> WriteResult:
        """Make or replace a text file, with the directories above it."""
        await self._contents.write(ROOT.relative(path), _encoded(content, path))
        return WriteResult(path=path)

    @answers(EditResult)
    async def edit(self, path: str, old: str, new: str, replace_all: bool) -> EditResult:
        """Replace a text that is in the file once, or wherever it is."""
        edit: dict[str, JsonValue] = {"old_text": old, "new_text": new, "replace_all": replace_all}
        relative = ROOT.relative(path)
        try:
            done: dict[str, Any] = await self._calls.make("edit_file", path=relative, edits=[edit])
        except ToolError as error:
            if error.code != "text_not_unique":
                raise
            return EditResult(error=f"Multiple occurrences, without replace_all. {told(error)}")
        return EditResult(path=path, occurrences=done["counts"][0])

    @answers(DeleteResult)
    async def delete(self, path: str) -> DeleteResult:
        """Delete a file, or a directory with all that is in it."""
        await self._calls.make("delete_path", path=ROOT.relative(path), recursive=True)
        return DeleteResult(path=path)

    async def upload(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Write files one after the other; those that fail leave the others be."""
        return [FileUploadResponse(path, await self._sent(path, data)) for path, data in files]

    async def _sent(self, path: str, content: bytes) -> str | None:
        try:
            await self._contents.write(ROOT.relative(path), content)
        except AgenticError as error:
            return code_of(error)
        return None

    async def download(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Read files one after the other, likewise."""
        return [await self._fetched(path) for path in paths]

    async def _fetched(self, path: str) -> FileDownloadResponse:
        try:
            return FileDownloadResponse(path, await self._contents.read(ROOT.relative(path)))
        except AgenticError as error:
            return FileDownloadResponse(path, error=code_of(error))


def _encoded(content: str, path: str) -> bytes:
    try:
        return content.encode()
    except UnicodeEncodeError as error:  # a model may write half of a surrogate pair
        raise ToolError(
            "invalid_arguments", f"The content is no text: {error}", path=path
        ) from error
