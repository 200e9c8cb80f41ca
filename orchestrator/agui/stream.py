"""The answer to a POST: a run's events, followed and encoded for AG-UI."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from ag_ui.core import BaseEvent
from ag_ui.encoder import EventEncoder

from common.errors import AgenticError, ClientError, SystemFault
from common.runs import Event
from orchestrator.agui.translation import Told, Translation
from orchestrator.store.records import off_loop
from orchestrator.streaming.connections import ConnectionManager
from orchestrator.streaming.frames import Cursor, Frame


@dataclass(frozen=True)
class Place:
    """Where a stream begins: in a run's events, behind the cursor."""

    session_id: str
    run_id: str
    cursor: Cursor


@dataclass(frozen=True)
class Encoded:
    """An event as it goes out."""

    sse: bytes


async def told(
    connections: ConnectionManager, place: Place, translation: Translation, request_id: str
) -> AsyncGenerator[Sequence[Encoded], None]:
    """Yield the events of one stream in batches; an empty one says that nothing is new.

    The last event is always one that ends it: what goes wrong on the way is `RUN_ERROR`, too. Whoever
    leaves ends the stream alone: the run goes on.
    """
    yield await _encoded(translation.opening())
    following = connections.follow(place.session_id, place.cursor, place.run_id, has_text=True)
    try:
        async with aclosing(following) as batches:
            async for batch in batches:
                yield await _encoded(await _translated(translation, batch))
                if translation.is_over:
                    return
        failure = _cut_off(place, is_closing=connections.is_closing)
    except AgenticError as raised:
        failure = raised
    yield await _encoded(translation.broken(failure.problem("orchestrator", request_id)))


async def _translated(translation: Translation, batch: Sequence[Frame]) -> Told:
    found: list[BaseEvent] = []
    size = sum(len(frame.json) for frame in batch)
    for event in await off_loop(size, _read, batch):
        found += await translation.of(event)
        if translation.is_over:
            break
    return found


def _read(batch: Sequence[Frame]) -> list[Event]:
    """Read events as a whole: those of the log come with their data as it is stored."""
    return [Event.model_validate_json(frame.json) for frame in batch]


async def _encoded(events: Told) -> Sequence[Encoded]:
    """Encode events: a result may be megabytes, and others share the loop."""
    return await asyncio.to_thread(_encode, events) if events else ()


def _encode(events: Told) -> list[Encoded]:
    encoder = EventEncoder()
    return [Encoded(encoder.encode(event).encode()) for event in events]


def _cut_off(place: Place, *, is_closing: bool) -> AgenticError:
    if not is_closing:
        return ClientError(
            "session_not_found", f"There is no session '{place.session_id}' any more"
        )
    hint = "The run goes on: the same request again follows it."
    return SystemFault("unavailable", "The service is about to stop", hint=hint)
