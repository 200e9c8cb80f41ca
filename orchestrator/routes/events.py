"""Events: what happens in a session, as a stream that can be resumed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import StreamingResponse

from common.ids import RunId
from common.runs import Event
from common.web.openapi import Responses, problems
from orchestrator.routes.dependencies import COMMON, ServicesDep, SessionDep, hold_stream
from orchestrator.streaming.frames import PATTERN, Cursor
from orchestrator.streaming.sse import EventStream

router = APIRouter(prefix="/v1/sessions/{session_id}/events", tags=["events"])
_STREAM: Responses = {
    200: {"content": {"text/event-stream": {}}, "description": "Events", "model": Event}
}


@router.get(
    "",
    dependencies=[Depends(hold_stream)],
    response_class=StreamingResponse,
    responses=_STREAM | problems(*COMMON, "session_not_found", "run_not_found"),
)
async def follow_events(
    session: SessionDep,
    services: ServicesDep,
    last_event_id: Annotated[str, Header(pattern=PATTERN)] = "0",
    run_id: Annotated[RunId | None, Query()] = None,
) -> StreamingResponse:
    """Stream the session's events, from after `Last-Event-ID` or from the beginning.

    With `run_id`: only that run's, from its first one on, and the stream ends after its last one.
    What a planner says comes as `text.delta` while it says it, without an id: where the offsets have a
    hole, the run's `text` has all of it.
    """
    cursor = Cursor.parse(last_event_id)
    if run_id is not None:
        cursor = cursor.not_before(await services.store.events.first_seq(session.id, run_id))
    return EventStream(services.connections.follow(session.id, cursor, run_id, has_text=True))
