"""A workspace as a whole: taken, put back, compared, by the routes for archives.

These are the program's own acts, as the files that a person sends are: no rule is about them, and no
model causes them.
"""

import asyncio
import hashlib
import io
import secrets
from pathlib import Path
from typing import IO

from agentic.api.client import AgenticClient
from agentic.harnesses.openai_agents.archives import (
    is_within,
    made,
    packed,
    pieces_of,
    without,
)
from agentic.harnesses.openai_agents.faults import reading, writing
from agentic.harnesses.opening import Opening
from common.files.archives import Difference


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

    async def prepared(self, tar: io.IOBase) -> IO[bytes]:
        """Return a tar as `put` sends it; raise WorkspaceArchiveWriteError for what cannot be sent."""
        with writing(self._root):
            return await asyncio.to_thread(packed, tar)

    async def put(self, archive: IO[bytes]) -> None:
        """Put files into the workspace, over those that are there: all of them or none."""
        with writing(self._root):
            await self._client.archives.put(
                await self._opening.session(),
                lambda: pieces_of(archive),
                force=True,
                key=secrets.token_hex(16),
            )

    async def digest(self, left_out: set[Path]) -> str:
        """Return a hash of all files: paths, contents and rights, but for paths that are left out."""
        found = hashlib.sha256()
        with reading(self._root):
            session = await self._opening.session()
            async for one in self._client.archives.diff(session, lambda: pieces_of(io.BytesIO())):
                if isinstance(one, Difference) and not is_within(one.path, left_out):
                    found.update(f"{one.path}\0{one.sha256}\0{one.is_executable}\n".encode())
        return found.hexdigest()
