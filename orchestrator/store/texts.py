"""What planners are saying, as it is published piece by piece: nothing of it is kept here."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from pydantic import Field, JsonValue, ValidationError

from common.logs import get_logger
from common.models import Lenient
from common.runs import Event
from orchestrator.store.backend import Backend

log = get_logger(__name__)
LAST_TIME = 253_402_300_799_999
"""The last millisecond of the year 9999."""
WAIT = 0.1
"""Seconds that one wait for a piece lasts, and after which a session that is new here is heard."""


class _Piece(Lenient):
    """What a message on a session's channel says."""

    run_id: str
    time: Annotated[int, Field(ge=0, le=LAST_TIME)]
    """Milliseconds."""
    data: dict[str, JsonValue]


class Wanted:
    """The sessions that somebody listens to; whoever subscribes takes what has changed."""

    def __init__(self) -> None:
        self._sessions: set[str] = set()
        self._changed: set[str] = set()

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._sessions)

    def add(self, session_id: str) -> None:
        """Listen to a session."""
        self._sessions.add(session_id)
        self._changed.add(session_id)

    def discard(self, session_id: str) -> None:
        """Listen to it no more."""
        self._sessions.discard(session_id)
        self._changed.add(session_id)

    def all(self) -> frozenset[str]:
        """Return the sessions, for a connection that is new; nothing has changed since."""
        self._changed.clear()
        return frozenset(self._sessions)

    def changes(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return those that may be new and those that are gone since this was last asked."""
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed & self._sessions, changed - self._sessions


class Texts:
    """Listens to the channels of sessions, over one connection for all of them."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def spoken(self, wanted: Wanted) -> AsyncGenerator[Event, None]:
        """Yield `text.delta` events as they are published, until no session is wanted any more.

        What is published while the connection is down is lost: its clients see the hole, and read
        the text so far. Raises StoreUnavailable; to listen again is to subscribe to everything again.
        """
        async with self._backend.redis.pubsub() as pubsub:
            heard: dict[str, str] = {}  # channel → session
            await self._subscribe(pubsub, heard, wanted.all())
            while wanted:
                # Between two waits and by who reads: a connection that is lost is made anew by
                # either, and two at once would make two.
                message = await self._next(pubsub)
                session_id = None if message is None else heard.get(message["channel"])
                if session_id is not None and (event := _read(session_id, message["data"])):
                    yield event
                added, gone = wanted.changes()
                await self._subscribe(pubsub, heard, added)
                await self._unsubscribe(pubsub, heard, gone)

    async def _next(self, pubsub: Any) -> Any:
        """Return the next message, None where none comes, or none that is text."""
        message = pubsub.get_message(ignore_subscribe_messages=True, timeout=WAIT)
        try:
            return await self._backend.do(message)
        except UnicodeDecodeError:  # it has closed the connection, and the next wait opens it again
            log.warning("a piece of text is not in UTF-8")
            return None

    async def _subscribe(
        self, pubsub: Any, heard: dict[str, str], sessions: frozenset[str]
    ) -> None:
        channels = {self._backend.keys.text_channel(session): session for session in sessions}
        if new := channels.keys() - heard.keys():
            heard.update(channels)
            await self._backend.do(pubsub.subscribe(*new))

    async def _unsubscribe(
        self, pubsub: Any, heard: dict[str, str], sessions: frozenset[str]
    ) -> None:
        channels = {self._backend.keys.text_channel(session) for session in sessions}
        if gone := channels & heard.keys():
            for channel in gone:
                del heard[channel]
            await self._backend.do(pubsub.unsubscribe(*gone))


def _read(session_id: str, message: str) -> Event | None:
    """Return the event; None for what another program has put there in another form."""
    try:
        piece = _Piece.model_validate_json(message)
        return Event.model_validate(
            {
                "seq": None,
                "type": "text.delta",
                "time": piece.time / 1000,
                "session_id": session_id,
                "run_id": piece.run_id,
                "data": piece.data,
            }
        )
    except ValidationError as error:
        fields = [".".join(map(str, wrong["loc"])) for wrong in error.errors()]
        log.warning("a piece of text cannot be read", session_id=session_id, fields=fields)
        return None
