"""Many files of a session's workspace at once: compared, sent and taken as archives."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from pydantic import ValidationError

from agentic.api.requests import Body, Requests
from agentic.api.transport import fault, path_of
from common.files.archives import (
    DIFFERENCE_LINE,
    LINES,
    MAX_LINE,
    MEDIA_TYPE,
    ArchiveResult,
    Difference,
    DifferenceCount,
)
from common.models import Page
from common.tools import Receipt


class Archives:
    """The archives of an orchestrator's sessions; their form is in common.files.archives."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def diff(
        self, session_id: str, manifest: Body
    ) -> AsyncIterator[Difference | DifferenceCount]:
        """Yield where the workspace differs from a manifest, ordered by path, and last the counts.

        Raises `upstream_failed` where these do not come: it was cut off.
        """
        async with self._compared(session_id, manifest, LINES) as pieces:
            async for line in _lines(pieces):
                difference = _difference(line)
                yield difference
                if isinstance(difference, DifferenceCount):
                    return
        raise fault("upstream_failed", "The differences ended before their end line")

    def get_differences(
        self, session_id: str, manifest: Body
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Take an archive of what is new or changed: the same lines, then the contents."""
        return self._compared(session_id, manifest, MEDIA_TYPE)

    @asynccontextmanager
    async def get(self, session_id: str, path: str = ".") -> AsyncIterator[AsyncIterator[bytes]]:
        """Take a tar of the workspace, or of a path in it, with the files' own names."""
        where = _at(session_id)
        async with self._requests.streamed("GET", where, params={"path": path}) as answer:
            yield answer.pieces

    async def put(
        self, session_id: str, archive: Body, *, force: bool = False, key: str
    ) -> ArchiveResult:
        """Send an archive, which takes effect once and whole; a lost answer is asked for again.

        Raises `changed_elsewhere` where a path holds something else than the manifest expects,
        unless `force` is given, and `content_missing` for contents that the workspace lacks.
        """
        return await self._requests.transfer(
            "PUT",
            _at(session_id),
            ArchiveResult,
            key,
            content=archive,
            params={"force": force},
            headers={"Content-Type": MEDIA_TYPE},
        )

    async def receipts(
        self, session_id: str, call_id: str, limit: int = 200, cursor: str | None = None
    ) -> Page[Receipt]:
        """Return a page of what an archive has changed, by the id of its result."""
        where = f"{_at(session_id)}{path_of('receipts', call_id)}"
        return await self._requests.read(where, Page[Receipt], limit=limit, cursor=cursor)

    @asynccontextmanager
    async def _compared(
        self, session_id: str, manifest: Body, accepted: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Compare a manifest with the workspace; yield the answer's pieces."""
        headers = {"Content-Type": LINES, "Accept": accepted}
        where = f"{_at(session_id)}/diff"
        opened = self._requests.streamed("POST", where, content=manifest(), headers=headers)
        async with opened as answer:
            yield answer.pieces


def _at(session_id: str) -> str:
    return path_of("v1", "sessions", session_id, "archive")


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield whole lines; raise `upstream_failed` for one that is longer than any may be."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > MAX_LINE:
            raise fault("upstream_failed", "The differences hold an endless line")


def _difference(line: bytes) -> Difference | DifferenceCount:
    try:
        return DIFFERENCE_LINE.validate_json(line)
    except ValidationError as error:
        raise fault("upstream_failed", "The differences hold what is none") from error
