"""A workspace as a whole: taken, put back, compared, by the routes for archives.

These are the program's own acts, as the files that a person sends are: no rule is about them, and no
model causes them.
"""

import asyncio
import hashlib
import io
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from agentic.api.client import AgenticClient
from agentic.api.requests import Body
from agentic.harnesses.openai_agents.archives import (
    Packed,
    is_within,
    made,
    packed,
    without,
)
from agentic.harnesses.openai_agents.faults import reading, writing
from agentic.harnesses.opening import Opening
from common.files.archives import Difference, ManifestDeletion


class Snapshots:
    """The files of a session's workspace, all at once; `root` is for errors."""

    def __init__(self, client: AgenticClient, opening: Opening, root: Path) -> None:
        self._client = client
        self._opening = opening
        self._root = root

    async def take(self, left_out: set[Path]) -> IO[bytes]:
        """Return a tar of the workspace, but for paths that are left out; links do not come along."""
        with reading(self._root), made() as tar:
            session = await self._opening.session()
            async with self._client.archives.get(session) as pieces:
                async for piece in pieces:
                    tar.write(piece)
        return await asyncio.to_thread(without, tar, left_out)

    @asynccontextmanager
    async def prepared(self, tar: io.IOBase) -> AsyncIterator[Packed]:
        """Have a tar's files as they are sent; raise WorkspaceArchiveWriteError for what cannot be."""
        with writing(self._root):
            archive = await asyncio.to_thread(packed, tar)
        with archive.contents:
            yield archive

    async def put(self, archive: Packed, gone: Sequence[ManifestDeletion] = ()) -> None:
        """Put files into the workspace, over those that are there, and take others away.

        It is one change: all of it happens, or nothing.
        """
        with writing(self._root):
            await self._client.archives.put(
                await self._opening.session(),
                lambda: archive.pieces(gone),
                force=True,
                key=secrets.token_hex(16),
            )

    async def replace(self, archive: Packed) -> None:
        """Have the workspace hold these files and no others, as one change; links stay."""
        with writing(self._root):
            gone = [
                ManifestDeletion(path=one.path, deleted=True, expected_sha256=one.sha256)
                async for one in self._differences(archive.manifest)
                if one.state == "new" and one.sha256 is not None
            ]
        await self.put(archive, gone)

    async def digest(self, left_out: set[Path]) -> str:
        """Return a hash of all files: paths, contents and rights, but for paths that are left out."""
        found = hashlib.sha256()
        with reading(self._root):
            async for one in self._differences(_nothing):
                if not is_within(one.path, left_out):
                    found.update(f"{one.path}\0{one.sha256}\0{one.is_executable}\n".encode())
        return found.hexdigest()

    async def _differences(self, manifest: Body) -> AsyncIterator[Difference]:
        session = await self._opening.session()
        async for one in self._client.archives.diff(session, manifest):
            if isinstance(one, Difference):
                yield one


def _nothing() -> AsyncIterator[bytes]:
    """Return the manifest of an empty directory: all that there is differs from it."""
    return Packed((), io.BytesIO()).manifest()
