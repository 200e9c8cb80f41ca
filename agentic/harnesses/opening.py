"""The session that a framework works in: opened once, by whoever comes first, or found again."""

import asyncio
import secrets

from agentic.api.client import AgenticClient


class Opening:
    """One session of a client's, which is made on a workspace or is there already.

    Nothing is sent before it is asked for. It is never deleted here: it ages by its time to live.
    """

    def __init__(
        self,
        client: AgenticClient,
        *,
        workspace: str | None = None,
        session_id: str | None = None,
    ) -> None:
        """`workspace`: its name, for a new session; without one a fresh workspace is made."""
        if workspace is not None and session_id is not None:
            raise ValueError("give a workspace, or a session that has one already")
        self._client = client
        self._workspace = workspace
        self._is_found = False
        self._key = secrets.token_hex(16)
        self._task: asyncio.Task[str] | None = None
        self.session_id = session_id
        """Known as soon as it is there, also to those who were cancelled meanwhile."""

    async def session(self) -> str:
        """Return the session's id; open it, or look whether it is there, when first asked.

        Raises AgenticError: `session_not_found` for one that is gone.
        """
        if self._is_found and self.session_id is not None:
            return self.session_id
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._open())
        return await asyncio.shield(self._task)

    async def _open(self) -> str:
        """Whoever is cancelled leaves this at work: what is made must be known by its id."""
        if self.session_id is None:
            opened = await self._client.create_session(self._workspace, idempotency_key=self._key)
        else:
            opened = await self._client.session(self.session_id)
        self.session_id, self._is_found = opened.id, True
        return opened.id
