"""Events: what happens in a session, as a stream that can be resumed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import StreamingResponse

from common.ids import RunId
from common.models import Digits
from common.runs import Event
from common.web.openapi import Responses, problems
from orchestrator.routes.dependencies import COMMON, ServicesDep, SessionDep, hold_stream
from orchestrator.streaming.sse import event_stream

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
    last_event_id: Annotated[Digits, Header(ge=0)] = 0,
    run_id: Annotated[RunId | None, Query()] = None,
) -> StreamingResponse:
    """Stream the session's events, from after `Last-Event-ID` or from the beginning.

    With `run_id`: only that run's, and the stream ends after its last one.
    """
    if run_id is not None:
        await services.store.runs.get(session.id, run_id)
    return event_stream(services.connections.follow(session.id, last_event_id, run_id))
