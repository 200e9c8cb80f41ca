"""Follows a session's events over as many connections as it takes."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import httpx

from agentic.api import sse
from agentic.api.documents import Unreadable, read_document
from agentic.api.events import is_last, readable
from agentic.api.requests import Requests
from agentic.api.transport import fault, given, path_of, pause
from common.errors import SystemFault
from common.runs import Event

ATTEMPTS = 12
"""Connections in a row that bring nothing: half a minute, in which a service restarts."""
CONNECT_TIMEOUT = 10.0
SILENCE = 60.0
"""Seconds without any sign of life; the service sends a comment every 15."""
_ID = re.compile(r"[!-~]{0,200}")


@dataclass
class _Place:
    """The last event that came, and its id as the service gave it.

    The id says more than the number: a service whose log is not the same any more tells of a gap.
    """

    seq: int
    event_id: str


async def follow(
    requests: Requests, session_id: str, run_id: str | None, cursor: int
) -> AsyncGenerator[Event]:
    """Yield each event once, in order; with `run_id`, end after that run's last one.

    Raises what the service answers, the fault of the last connection once ATTEMPTS in a row have
    brought nothing, and at once `upstream_failed` for an event whose data cannot be read.
    """
    async with aclosing(_resumed(requests, session_id, run_id, cursor)) as events:
        async for event in events:
            yield readable(event)
            if run_id is not None and is_last(event):
                return


async def _resumed(
    requests: Requests, session_id: str, run_id: str | None, cursor: int
) -> AsyncGenerator[Event]:
    failures, place = 0, _Place(cursor, str(cursor))
    while True:
        try:
            async with aclosing(_stream(requests, session_id, run_id, place)) as events:
                async for event in events:
                    failures = 0
                    yield event
            failed = fault("upstream_failed", "The event stream ended before the run")
        except SystemFault as error:
            failed = error
        failures += 1
        if failures >= ATTEMPTS:
            raise failed
        await asyncio.sleep(pause(failures))


async def _stream(
    requests: Requests, session_id: str, run_id: str | None, place: _Place
) -> AsyncGenerator[Event]:
    """Yield what one connection brings after the place, which moves along."""
    answered = requests.answered(
        "GET",
        path_of("v1", "sessions", session_id, "events"),
        params=given(run_id=run_id),
        headers={"Last-Event-ID": place.event_id, "Accept": "text/event-stream"},
        timeout=httpx.Timeout(SILENCE, connect=CONNECT_TIMEOUT),
    )
    async with answered as answer:
        async for item in sse.parse(answer.pieces):
            event = _event(item)
            if _is_new(event, place):
                if event.seq is not None:
                    place.seq, place.event_id = event.seq, item.last_id
                yield event


def _is_new(event: Event, place: _Place) -> bool:
    """A gap may lie before the place: the log lost its end."""
    return event.seq is None or event.type == "gap" or event.seq > place.seq


def _event(item: sse.ServerSentEvent) -> Event:
    """Return the event; raise `upstream_failed` for none, or for a place that cannot be sent back."""
    try:
        event = read_document(item.data.encode(), Event)
    except Unreadable as error:
        raise fault("upstream_failed", f"An event of the stream {error}") from error
    if not _ID.fullmatch(item.last_id):
        raise fault("upstream_failed", "The event stream holds an odd id")
    return event
