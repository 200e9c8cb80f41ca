"""Which of a user's sessions name which workspace, found by the user's own list."""

from collections.abc import AsyncIterator, Container, Sequence

from common.errors import ClientError
from orchestrator.store.backend import Backend
from orchestrator.store.sessions import newest

LOOK = 1000
MAX_LOOKS = 100
"""Ids that are read at a time, and how often: no more sessions of one user are looked at."""
MOST_NAMED = 100
"""Sessions that are named of each workspace."""


class WorkspaceStore:
    """Nothing is kept of workspaces themselves: the execution environment knows what there is."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def sessions_of(self, user_id: str, wanted: Container[str]) -> dict[str, list[str]]:
        """Return for each of these workspaces the first sessions that name it, the newest first.

        One without any is not there.
        """
        found: dict[str, list[str]] = {}
        async for session_id, workspace in self._all(user_id):
            if workspace in wanted:
                named = found.setdefault(workspace, [])
                named += [session_id] if len(named) < MOST_NAMED else []
        return found

    async def require_unused(self, user_id: str, workspace: str, but_for: str = "") -> None:
        """Raise `workspace_in_use` while a session names it, `but_for` one."""
        sessions: list[str] = []
        async for session_id, named in self._all(user_id):
            if named == workspace and session_id != but_for:
                sessions.append(session_id)
            if len(sessions) == MOST_NAMED:
                break
        if sessions:
            detail = f"Sessions name the workspace '{workspace}'"
            raise ClientError("workspace_in_use", detail, sessions=sessions)

    async def _all(self, user_id: str) -> AsyncIterator[tuple[str, str]]:
        """Yield the user's sessions with their workspaces, the newest first.

        Raises `invalid_state` where there are too many of them to say anything of all.
        """
        redis, index = self._backend.redis, self._backend.keys.user_sessions(user_id)
        cursor: str | None = None
        for _ in range(MAX_LOOKS):
            ids = await self._backend.do(newest(redis, index, LOOK, cursor))
            for session_id, workspace in zip(ids, await self._named(ids), strict=True):
                if workspace is not None:  # else it has expired
                    yield session_id, workspace
            if len(ids) < LOOK:
                return
            cursor = ids[-1]
        raise ClientError(
            "invalid_state",
            f"The user has more than {LOOK * MAX_LOOKS} sessions: too many to look through",
            hint="Delete sessions that are not needed any more.",
        )

    async def _named(self, ids: Sequence[str]) -> Sequence[str | None]:
        pipeline = self._backend.redis.pipeline(transaction=False)
        for session_id in ids:
            pipeline.hget(self._backend.keys.session(session_id), "workspace")
        named: Sequence[str | None] = await self._backend.do(pipeline.execute())
        return named
