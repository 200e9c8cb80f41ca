"""AG-UI's endpoint: a run as the event stream that user interfaces are built on.

Source: https://docs.ag-ui.com (protocol 1.0)
"""

from typing import Annotated

from ag_ui.core import Event
from fastapi import APIRouter, Body, Depends
from starlette.responses import StreamingResponse

from common.ids import Name
from common.web.body import JsonRoute
from common.web.openapi import Responses, problems
from orchestrator.agui.door import Door
from orchestrator.agui.inputs import RunInput
from orchestrator.agui.stream import told
from orchestrator.agui.translation import Translation
from orchestrator.routes.dependencies import (
    BODY,
    COMMON,
    OriginDep,
    ServicesDep,
    UserDep,
    hold_stream,
)
from orchestrator.streaming.sse import EventStream

router = APIRouter(prefix="/agui", tags=["ag-ui"], route_class=JsonRoute)
_STREAM: Responses = {
    200: {"content": {"text/event-stream": {}}, "description": "AG-UI events", "model": Event}
}
_STARTING = ("goal_not_understood", "invalid_plan", "session_busy", "queue_full", "upstream_failed")
_RESUMING = (
    *("session_not_found", "run_not_found"),
    *("precondition_failed", "invalid_state", "output_too_large"),
)
_EXAMPLES = [
    {
        "threadId": "thread-1",
        "runId": "run-1",
        "messages": [{"id": "1", "role": "user", "content": "list files"}],
        "forwardedProps": {"agentic": {"approval": "writes"}},
    }
]


@router.post(
    "/{workspace}",
    dependencies=[Depends(hold_stream)],
    response_class=StreamingResponse,
    responses=_STREAM | problems(*COMMON, *BODY, *_STARTING, *_RESUMING),
)
async def run_agent(
    body: Annotated[RunInput, Body(examples=_EXAMPLES)],
    workspace: Name,
    user: UserDep,
    origin: OriginDep,
    services: ServicesDep,
) -> StreamingResponse:
    """Start a run for the last user message, or answer the one that waits, and stream its events.

    The same request again streams the same run, from its first event on. Whoever leaves ends the stream
    and not the run.
    """
    session, place = await Door(services, user, workspace, origin).enter(body)
    run = await services.store.runs.get(session.id, place.run_id)
    translation = Translation(services.store, session, run, body)
    return EventStream(told(services.connections, place, translation, origin.request_id))
