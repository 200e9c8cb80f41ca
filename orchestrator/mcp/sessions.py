"""The session that each user's MCP clients have in a workspace: their calls are told of in it."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from common.logs import get_logger
from common.sessions import Session
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.events import DirectCall
from orchestrator.store.store import Store

KEPT = 10_000
"""Sessions that are remembered here."""
RENEWED_AFTER = 20.0
"""Seconds after which the store is asked for one again: that keeps it, and its place in the user's list."""
_METADATA = {"source": "mcp"}
log = get_logger(__name__)


class Sessions:
    """Opens a session when a workspace is first used, and finds it as long as it is."""

    def __init__(self, store: Store, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._known: OrderedDict[tuple[str, str], tuple[float, Session]] = OrderedDict()

    async def of(self, user_id: str, workspace: str) -> Session:
        """Return the user's session for a workspace, the same on every replica."""
        asked_at, session = self._known.get((user_id, workspace), (None, None))
        if session is None or asked_at is None or self._now() - asked_at > RENEWED_AFTER:
            session = await self._open(user_id, workspace)
        return session

    async def note(self, session: Session, call: DirectCall) -> None:
        """Note a call in its session, or in the one that comes after it: it may just have been deleted.

        Where the store is away it is on the audit trail alone: what has happened must not be told as failed.
        """
        try:
            while not await self._store.direct_calls.note(session.id, call):
                session = await self._open(session.user_id, session.workspace)
        except StoreUnavailable as away:
            log.warning("a call is not told in its session", call=call.id, detail=away.detail)

    async def _open(self, user_id: str, workspace: str) -> Session:
        # No client can send this key: a header has no NUL.
        key, digest = f"\0mcp {workspace}", hashlib.sha256(workspace.encode()).hexdigest()
        session = await self._store.sessions.create(
            user_id, workspace, _METADATA, None, (key, digest)
        )
        self._known[user_id, workspace] = self._now(), session
        self._known.move_to_end((user_id, workspace))
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return session
