"""The files of a session's workspace, one by one: listed, read, written, deleted."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from agentic.api.answers import Head, Stream, read_answer
from agentic.api.requests import Body, Requests
from agentic.api.transport import fault, given, path_of
from common.errors import ToolError
from common.files.directories import DirectoryPage
from common.tools import ToolResult

_DIGITS = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


@dataclass(frozen=True)
class FileInfo:
    """What there is at a path; a directory has neither size, in bytes, nor the rest."""

    type: Literal["file", "directory"]
    size: int | None = None
    etag: str | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True)
class Download:
    """A file as it comes: `size` bytes in all, of which those from `start` on are sent."""

    size: int
    start: int
    etag: str
    _pieces: AsyncIterator[bytes]

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes, once; raise `upstream_failed` unless all of them come."""
        left = self.size - self.start
        async for piece in self._pieces:
            left -= len(piece)
            yield piece
        if left:
            raise fault("upstream_failed", "The file did not come as long as it was to be")


class Files:
    """The files of an orchestrator's sessions. Paths are relative to the session's workspace."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def list(
        self,
        session_id: str,
        path: str = ".",
        *,
        depth: int = 1,
        limit: int = 200,
        cursor: str | None = None,
    ) -> DirectoryPage:
        """Return a page of what is in a directory, so many levels deep."""
        params = given(depth=depth, limit=limit, cursor=cursor)
        where = _at(session_id, path)
        async with self._requests.prompt("GET", where, params=params) as answer:
            if not _is_directory(answer):
                raise _refused("not_a_directory", "There is a file", path)
            return read_answer(await answer.whole(), DirectoryPage)

    @asynccontextmanager
    async def read(
        self, session_id: str, path: str, *, start: int = 0, etag: str | None = None
    ) -> AsyncIterator[Download]:
        """Read a file from a byte on, for as long as the context is open.

        With the `etag` of an earlier download the rest comes if the file is still the same, and all
        of it, with `start` 0, where it is not. Raises `range_not_satisfiable` past the file's end.
        """
        headers = {"Range": f"bytes={start}-", **given(**{"If-Range": etag})} if start else {}
        where = _at(session_id, path)
        async with self._requests.streamed("GET", where, headers=headers) as answer:
            if _is_directory(answer):
                raise _refused("not_a_file", "There is a directory", path)
            yield _download(answer, start)

    async def write(
        self,
        session_id: str,
        path: str,
        content: bytes | Body,
        *,
        if_match: str | None = None,
        only_new: bool = False,
        key: str | None = None,
    ) -> ToolResult:
        """Make or replace a file; `precondition_failed` unless it has that etag, or is not there.

        A lost answer is asked for again, safely: content that is not bytes is made anew by a call.
        """
        headers = given(**{"If-Match": if_match, "If-None-Match": "*" if only_new else None})
        return await self._requests.transfer(
            "PUT", _at(session_id, path), ToolResult, key, content=content, headers=headers
        )

    async def delete(
        self, session_id: str, path: str, *, if_match: str | None = None, key: str | None = None
    ) -> ToolResult:
        """Delete a file, or an empty directory; `precondition_failed` unless it has that etag."""
        headers = given(**{"If-Match": if_match})
        return await self._requests.transfer(
            "DELETE", _at(session_id, path), ToolResult, key, headers=headers
        )

    async def info(self, session_id: str, path: str = ".") -> FileInfo:
        """Tell what there is at a path."""
        where = _at(session_id, path)
        answer = await self._requests.send("HEAD", where)
        if answer.is_success:
            return _info(answer)
        # an answer to HEAD has no body that says what is wrong
        async with self._requests.prompt("GET", where) as told:
            return _info(told)


def _at(session_id: str, path: str) -> str:
    return path_of("v1", "sessions", session_id, "files", rest=path)


def _is_directory(answer: Head) -> bool:
    """A directory is answered for as JSON; a file is bytes, whatever its name says."""
    kind: str = answer.headers.get("content-type", "")
    return kind.partition(";")[0] == "application/json"


def _info(answer: Head) -> FileInfo:
    if _is_directory(answer):
        return FileInfo("directory")
    return FileInfo("file", _size(answer), _etag(answer), _modified_at(answer))


def _download(answer: Stream, asked: int) -> Download:
    if answer.status != 206:
        return Download(_size(answer), 0, _etag(answer), answer.pieces)
    found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if found is None or int(found[1]) != asked:
        raise answer.unreadable("has another part of the file than was asked for")
    return Download(int(found[2]), asked, _etag(answer), answer.pieces)


def _size(answer: Head) -> int:
    told = answer.headers.get("content-length", "")
    if not _DIGITS.fullmatch(told):
        raise answer.unreadable("does not say how long the file is")
    return int(told)


def _etag(answer: Head) -> str:
    if "etag" not in answer.headers:
        raise answer.unreadable("does not say which state of the file it is")
    return answer.headers["etag"]


def _modified_at(answer: Head) -> datetime:
    try:
        return parsedate_to_datetime(answer.headers["last-modified"])
    except (KeyError, ValueError) as error:
        raise answer.unreadable("does not say when the file was modified") from error


def _refused(code: str, detail: str, path: str) -> ToolError:
    refused = ToolError(code, detail, path=path)
    refused.source = "client"
    return refused
