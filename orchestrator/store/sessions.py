"""Sessions: opened, read, listed by time, deleted."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from common.errors import ClientError
from common.ids import made_at, new_id
from common.models import Page
from common.runs import Metadata, Session
from orchestrator.store.backend import Backend
from orchestrator.store.records import read_session

Idempotency = tuple[str, str]
"""A client's key, and the digest of the request that it stands for."""


class SessionStore:
    """Sessions of all users; another user's session does not exist."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def create(
        self,
        user_id: str,
        workspace: str | None,
        metadata: Metadata,
        ttl: timedelta | None,
        idempotency: Idempotency | None = None,
    ) -> Session:
        """Open a session, or return the one that the same key opened before.

        Raises `idempotency_conflict` when the key stood for another request.
        """
        ttl = min(ttl or self._ttl, self._ttl)
        session_id = new_id("ses")
        if idempotency is not None:
            session_id = await self._reserve(session_id, user_id, idempotency)
        session = Session(
            id=session_id,
            user_id=user_id,
            workspace=workspace or session_id.replace("_", "-"),
            metadata=metadata,
            ttl=ttl.total_seconds(),
            created_at=datetime.now(UTC),
        )
        await self._index(session)
        await self._backend.script(
            "create_session",
            session_id,
            "",
            session.model_dump_json(),
            user_id,
            session.workspace,
            ttl=ttl,
        )
        return await self.get(session_id, user_id)

    async def _index(self, session: Session) -> None:
        index = self._backend.keys.user_sessions(session.user_id)
        pipeline = self._backend.redis.pipeline(transaction=False)
        pipeline.zadd(index, {session.id: 0}).expire(index, self._backend.index_ttl)
        await self._backend.do(pipeline.execute())

    @property
    def _ttl(self) -> timedelta:
        return self._backend.config.session_ttl

    async def _reserve(self, session_id: str, user_id: str, idempotency: Idempotency) -> str:
        key, digest = idempotency
        name = self._backend.keys.session_idempotency(user_id, key)
        mine = f"{session_id} {digest}"
        redis = self._backend.redis
        first = await self._backend.do(redis.set(name, mine, nx=True, get=True, ex=self._ttl))
        reserved, first_digest = (first or mine).split()
        if first_digest != digest:
            raise ClientError(
                "idempotency_conflict", "This Idempotency-Key opened a different session"
            )
        return str(reserved)

    async def get(self, session_id: str, user_id: str) -> Session:
        """Return a session; raise `session_not_found` unless it is the user's own."""
        redis, name = self._backend.redis, self._backend.keys.session(session_id)
        fields = await self._backend.do(redis.hgetall(name))
        if not fields or fields["user"] != user_id:
            raise ClientError("session_not_found", f"There is no session '{session_id}'")
        return read_session(fields)

    async def list(self, user_id: str, limit: int, cursor: str | None) -> Page[Session]:
        """Return the user's sessions, the newest first."""
        index = self._backend.keys.user_sessions(user_id)
        redis, keys = self._backend.redis, self._backend.keys
        ids = await self._backend.do(newest(redis, index, limit, cursor))
        pipeline = redis.pipeline(transaction=False)
        for session_id in ids:
            pipeline.hgetall(keys.session(session_id))
        found = await self._backend.do(pipeline.execute())
        missing = [session_id for session_id, fields in zip(ids, found, strict=True) if not fields]
        await self._forget(index, missing)
        return Page(
            items=[read_session(fields) for fields in found if fields],
            next_cursor=ids[-1] if len(ids) == limit else None,
        )

    async def _forget(self, index: str, missing: Sequence[str]) -> None:
        """Drop expired sessions from the index; a younger one may just be about to be created."""
        oldest = datetime.now(UTC) - self._ttl
        expired = [session_id for session_id in missing if made_at(session_id) < oldest]
        if expired:
            await self._backend.do(self._backend.redis.zrem(index, *expired))

    async def delete(self, session_id: str, user_id: str) -> None:
        """Remove a session, its runs and its events; raise `session_busy` while a run is active."""
        await self.get(session_id, user_id)
        redis, keys = self._backend.redis, self._backend.keys
        run_ids = await self._backend.do(redis.zrange(keys.runs(session_id), 0, -1))
        belongings = tuple(
            name
            for run_id in run_ids
            for name in (
                keys.run(session_id, run_id),
                keys.steps(session_id, run_id),
                keys.turns(session_id, run_id),
            )
        )
        [outcome] = await self._backend.script(
            "delete_session", session_id, "", more_keys=belongings
        )
        if outcome == "session_busy":
            raise ClientError("session_busy", "A run of this session is still active")
        await self._backend.do(redis.zrem(keys.user_sessions(user_id), session_id))


def newest(redis: Any, index: str, limit: int, cursor: str | None) -> Any:
    """Return the command that reads ids, the newest first, from after the cursor."""
    start = f"({cursor}" if cursor else "+"
    return redis.zrevrangebylex(index, start, "-", start=0, num=limit)
