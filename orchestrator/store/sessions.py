"""Sessions: opened, read, listed by time, deleted."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from common.errors import ClientError
from common.ids import made_at, new_id
from common.models import Page
from common.sessions import Metadata, Session
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.encoding.session_records import read_session, read_sessions

Idempotency = tuple[str, str]
"""A client's key, and the digest of the request that it stands for."""
COMING = timedelta(minutes=1)
"""How long after its id was made what it names may still be about to be stored."""
LOOK = 200
MAX_LOOKS = 25
"""Ids that a listing reads at a time, and how often before it answers with what it has."""
SAMPLE = 5
"""Ids that each new session looks at: in the long run no more than about a fifth has expired."""


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
        """Open a session, or return its key's first; raise `idempotency_conflict` for another request."""
        ttl = min(ttl or self._ttl, self._ttl)
        own_id, session_id, deleted = new_id("ses"), "", ""
        while True:
            if idempotency is not None:
                session_id = await self._reserve(own_id, user_id, idempotency, deleted)
            session = _made(session_id or own_id, user_id, workspace, metadata, ttl)
            if stored := await self._store(session, is_reserved=idempotency is not None):
                return stored
            deleted = session.id

    async def _store(self, session: Session, *, is_reserved: bool) -> Session | None:
        """Store a session unless it is there, and return what is; None for one that was deleted."""
        # The index comes first, so that no crash leaves a session that is in no list.
        some = await keep_listed(self._backend, session.user_id, session.id)
        await self._drop_expired(session.user_id, some)
        outcome, *fields = await self._backend.script(
            "create_session",
            session.id,
            "",
            session.model_dump_json(),
            session.user_id,
            session.workspace,
            int(is_reserved),
            ttl=timedelta(seconds=session.ttl),
            more_keys=(self._backend.keys.deleted(session.id),),
        )
        if not may_come(session.id):  # reserved long ago: whoever listed since has dropped it
            await keep_listed(self._backend, session.user_id, session.id)
        kept = dict(zip(fields[::2], fields[1::2], strict=True))
        return None if outcome == "deleted" else read_session(kept)

    @property
    def _ttl(self) -> timedelta:
        return self._backend.config.session_ttl

    async def _reserve(
        self, session_id: str, user_id: str, idempotency: Idempotency, deleted: str
    ) -> str:
        """Return the id that the key stands for: this one, unless it stood for another before."""
        key, digest = idempotency
        [first] = await self._backend.script_on(
            "reserve_session",
            [self._backend.keys.session_idempotency(user_id, key)],
            f"{session_id} {digest}",
            milliseconds(self._ttl),
            deleted,
        )
        reserved, first_digest = first.split()
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
        found: list[Session] = []
        for _ in range(MAX_LOOKS):
            ids = await self._backend.do(newest(self._backend.redis, index, LOOK, cursor))
            found += await self._living(user_id, ids)
            if len(found) > limit:
                return Page(items=found[:limit], next_cursor=found[limit - 1].id)
            if len(ids) < LOOK:
                return Page(items=found)
            cursor = ids[-1]
        return Page(items=found, next_cursor=cursor)

    async def _living(self, user_id: str, ids: Sequence[str]) -> Sequence[Session]:
        """Read sessions; drop those from the index that have expired."""
        pipeline = self._backend.redis.pipeline(transaction=False)
        for session_id in ids:
            pipeline.hgetall(self._backend.keys.session(session_id))
        found = await self._backend.do(pipeline.execute())
        pairs = zip(ids, found, strict=True)
        await self._forget(user_id, [session_id for session_id, fields in pairs if not fields])
        return await read_sessions(found)

    async def _drop_expired(self, user_id: str, ids: Sequence[str]) -> None:
        """Drop those of the list that have expired: one that nobody reads gets shorter, too."""
        pipeline = self._backend.redis.pipeline(transaction=False)
        for session_id in ids:
            pipeline.exists(self._backend.keys.session(session_id))
        pairs = zip(ids, await self._backend.do(pipeline.execute()), strict=True)
        await self._forget(user_id, [session_id for session_id, is_there in pairs if not is_there])

    async def _forget(self, user_id: str, missing: Sequence[str]) -> None:
        """Drop expired sessions from the index; a young one may just be about to be created."""
        index = self._backend.keys.user_sessions(user_id)
        expired = [session_id for session_id in missing if not may_come(session_id)]
        if expired:
            await self._backend.do(self._backend.redis.zrem(index, *expired))

    async def delete(self, session_id: str, user_id: str) -> None:
        """Remove a session, its runs and its events; raise `session_busy` while a run is active.

        It is gone at once; of a deletion that ends before all runs are removed, the rest expires.
        """
        await self.get(session_id, user_id)
        keys = self._backend.keys
        [outcome] = await self._backend.script(
            "delete_session", session_id, "", more_keys=(keys.deleted(session_id),)
        )
        if outcome == "session_busy":
            raise ClientError("session_busy", "A run of this session is still active")
        index = keys.user_sessions(user_id)
        await self._backend.do(self._backend.redis.zrem(index, session_id))
        left = 1
        while left:
            [_, left] = await self._backend.script("delete_runs", session_id, "")


def _made(
    session_id: str, user_id: str, workspace: str | None, metadata: Metadata, ttl: timedelta
) -> Session:
    return Session(
        id=session_id,
        user_id=user_id,
        workspace=workspace or session_id.replace("_", "-"),
        metadata=metadata,
        ttl=ttl.total_seconds(),
        created_at=datetime.now(UTC),
    )


def may_come(new: str) -> bool:
    """Tell whether a session or a run that is not there may just be about to be stored."""
    return datetime.now(UTC) - made_at(new) < COMING


async def keep_listed(backend: Backend, user_id: str, session_id: str) -> Sequence[str]:
    """Keep a session in its user's list for as long as it may live from now on; return some of the list."""
    index = backend.keys.user_sessions(user_id)
    pipeline = backend.redis.pipeline(transaction=False)
    pipeline.zadd(index, {session_id: 0}).expire(index, backend.index_ttl)
    return list((await backend.do(pipeline.zrandmember(index, SAMPLE).execute()))[-1])


async def keep_session(backend: Backend, session_id: str, run_id: str) -> None:
    """Keep a session that a run waits in, with all that belongs to it."""
    behind = ""
    while True:
        [_, behind, user_id] = await backend.script("touch", session_id, run_id, behind)
        if not behind:
            break
    if user_id:
        await keep_listed(backend, user_id, session_id)


def newest(redis: Any, index: str, limit: int, cursor: str | None) -> Any:
    """Return the command that reads ids, the newest first, from after the cursor."""
    start = f"({cursor}" if cursor else "+"
    return redis.zrevrangebylex(index, start, "-", start=0, num=limit)
