"""Changes of sessions: their metadata, their rules, how long they live."""

import secrets
from datetime import timedelta

from common.errors import error
from common.sessions import Session, SessionPatch
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.encoding.session_records import RULES
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.sessions import SessionStore, keep_session


class SessionChanges:
    """Changes sessions that the caller has checked to be the user's."""

    def __init__(self, backend: Backend, queue: Queue, sessions: SessionStore) -> None:
        self._backend = backend
        self._queue = queue
        self._sessions = sessions

    async def patch(self, session: Session, patch: SessionPatch, expected: int | None) -> Session:
        """Change a session as it was read; return it as it is by then.

        Raises `precondition_failed` where it has another revision than the expected one (None: any), or
        `session_not_found`. It lives no longer than the deployment keeps sessions.
        """
        while True:
            if expected not in (None, session.revision):
                raise error(
                    "precondition_failed",
                    f"The session has revision {session.revision}, and not {expected}",
                    actual=session.revision,
                )
            outcome = await self._patch(session, patch)
            if outcome == "session_not_found":
                raise error("session_not_found", f"There is no session '{session.id}'")
            if outcome == "done" and patch.ttl is not None:
                await keep_session(self._backend, session.id, "")
            session = await self._sessions.get(session.id, session.user_id)
            if outcome == "done":
                return session

    async def _patch(self, session: Session, patch: SessionPatch) -> str:
        """Store it; the reaper is told of each unfinished run that has to be kept more often then."""
        ttl = self._ttl(session, patch)
        told = (
            session.revision,
            _document(session, patch, ttl),
            milliseconds(ttl),
            "" if patch.rules is None else RULES.dump_json(patch.rules).decode(),
            int(patch.rules == []),
            secrets.token_hex(8),
        )
        announced: list[str] = []
        while True:
            named = "".join(f" {run_id}" for run_id in announced)
            outcome, _, now, *announced = await self._backend.script(
                "patch_session", session.id, "", *told, named
            )
            if outcome != "unannounced":
                return str(outcome)
            refs = [RunRef(session.user_id, session.id, run_id) for run_id in announced]
            await self._queue.look_soon(refs, int(now))

    def _ttl(self, session: Session, patch: SessionPatch) -> timedelta:
        if patch.ttl is None:
            return timedelta(seconds=session.ttl)
        return min(patch.ttl, self._backend.config.session_ttl)


def _document(session: Session, patch: SessionPatch, ttl: timedelta) -> str:
    """Return what is kept of the session as a whole; its rules have fields of their own."""
    metadata = session.metadata if patch.metadata is None else patch.metadata
    changed = session.model_copy(update={"metadata": metadata, "ttl": ttl.total_seconds()})
    return changed.model_dump_json(exclude={"rules", "remembered"})
