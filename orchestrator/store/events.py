"""A session's event log, the calls without a run that are noted in it, and notifications of what is new."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from common.errors import ClientError, Problem
from common.models import Items, Lenient
from common.runs import Event
from common.tools import Receipt, ToolResult
from orchestrator.store.backend import Backend, milliseconds
from orchestrator.store.records import Fields

NOTIFICATION_WAIT = 1.0
"""Seconds that one wait for a notification lasts."""
REPEATED_WITHIN = timedelta(minutes=1)
"""How long a call is known to be noted: a script is sent again while the store does not answer."""


@dataclass(frozen=True)
class Entry:
    """An event as it is stored: its data is the JSON that goes out, and is not read for that."""

    head: Event
    """The event with no data."""
    data: str

    @property
    def json(self) -> str:
        """The event as JSON."""
        return f"{self.head.model_dump_json().removesuffix('{}}')}{self.data}}}"


@dataclass(frozen=True)
class LogSlice:
    """What follows a cursor, and the number of the log's last event (None: no such session)."""

    entries: list[Entry]
    last_seq: int | None

    @property
    def events(self) -> list[Event]:
        """The events, read as a whole."""
        return [Event.model_validate_json(entry.json) for entry in self.entries]


class EventLog:
    """Reads the events of sessions; the scripts write them."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def after(self, session_id: str, seq: int, count: int) -> LogSlice:
        """Return up to `count` events that follow `seq`."""
        redis, keys = self._backend.redis, self._backend.keys
        # In one transaction: an event between the two reads would be in the number and not in the
        # log, and a follower would take it for lost.
        pipeline = redis.pipeline(transaction=True)
        pipeline.xrange(keys.events(session_id), min=f"({seq}-0", max="+", count=count)
        pipeline.hget(keys.session(session_id), "seq")
        entries, last = await self._backend.do(pipeline.execute())
        read = [_read(session_id, entry_id, fields) for entry_id, fields in entries]
        return LogSlice(read, None if last is None else int(last))

    async def last_seqs(self, session_ids: Sequence[str]) -> list[int | None]:
        """Return the number of each session's last event, in one round trip (None: no such session)."""
        pipeline = self._backend.redis.pipeline(transaction=False)
        for session_id in session_ids:
            pipeline.hget(self._backend.keys.session(session_id), "seq")
        found = await self._backend.do(pipeline.execute())
        return [None if seq is None else int(seq) for seq in found]

    async def first_seq(self, session_id: str, run_id: str) -> int:
        """Return the number of a run's first event; raise `run_not_found`.

        1 for a run that an older program stored: its events are found from the session's first on.
        """
        redis, keys = self._backend.redis, self._backend.keys
        fields = redis.hmget(keys.run(session_id, run_id), "first_seq", "status")
        first, status = await self._backend.do(fields)
        if status is None:
            raise ClientError("run_not_found", f"There is no run '{run_id}' in this session")
        return int(first or 1)

    async def notifications(self) -> AsyncIterator[tuple[str, str]]:
        """Yield `("event", session id)`, `("cancel", run id)`, `("settled", run id)` as they are published.

        Notifications are lost while the connection is down: whoever listens must also look by itself.
        """
        async with self._backend.redis.pubsub() as pubsub:
            await self._backend.do(pubsub.subscribe(self._backend.keys.channel))
            while True:
                message = await self._backend.do(
                    pubsub.get_message(ignore_subscribe_messages=True, timeout=NOTIFICATION_WAIT)
                )
                if message is not None:
                    kind, _, subject = message["data"].partition(" ")
                    yield kind, subject


class DirectCall(Lenient):
    """What came of a call, as the event `call.succeeded` or `call.failed` tells it."""

    id: str
    tool: str
    receipts: Items[Receipt] = []
    error: Problem | None = None
    duration_ms: float | None = None

    @classmethod
    def made(cls, result: ToolResult) -> Self:
        """Return what is told of a call that has happened; its output is the caller's own affair."""
        return cls(
            id=result.id,
            tool=result.tool,
            receipts=result.receipts,
            duration_ms=result.duration_ms,
        )


class DirectCallStore:
    """Notes calls in the event log of the session that they were made in."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def note(self, session_id: str, call: DirectCall) -> bool:
        """Note a call, and keep its session for another while; False where there is none any more."""
        [outcome] = await self._backend.script(
            "note_call",
            session_id,
            "",
            "call.succeeded" if call.error is None else "call.failed",
            call.model_dump_json(),
            milliseconds(REPEATED_WITHIN),
            more_keys=(self._backend.keys.noted(session_id, call.id),),
        )
        return bool(outcome == "noted")


def _read(session_id: str, entry_id: str, fields: Fields) -> Entry:
    head = Event.model_validate(
        {
            "seq": int(entry_id.split("-", maxsplit=1)[0]),
            "type": fields["type"],
            "time": int(fields["time"]) / 1000,
            "session_id": session_id,
            "run_id": fields["run"] or None,
            "step_id": fields["step"] or None,
            "data": {},
        }
    )
    return Entry(head, fields["data"])
