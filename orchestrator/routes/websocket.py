"""Events over a WebSocket, for clients that cannot read server-sent events or send no headers."""

from contextlib import aclosing, suppress
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.websockets import WebSocket, WebSocketDisconnect

from common.errors import AgenticError, ClientError
from common.ids import RunId, SessionId
from orchestrator.routes.dependencies import Services, ServicesDep
from orchestrator.security.sockets import accept
from orchestrator.store.backend import StoreUnavailable
from orchestrator.streaming.frames import PATTERN, Cursor
from orchestrator.streaming.websocket import (
    END,
    FAILED,
    NOT_FOUND,
    SERVICE_RESTART,
    TRY_AGAIN,
    UNAUTHENTICATED,
    send_events,
)

router = APIRouter(prefix="/v1/sessions/{session_id}/ws")


@router.websocket("")
async def follow_over_websocket(
    socket: WebSocket,
    services: ServicesDep,
    session_id: SessionId,
    after_seq: Annotated[str, Query(pattern=PATTERN)] = "0",
    run_id: Annotated[RunId | None, Query()] = None,
) -> None:
    """Send the session's events, from after `after_seq` or from the beginning; close when they end."""
    with suppress(WebSocketDisconnect):
        try:
            user = await accept(socket)
            await services.limits.count_request(user)
            await services.store.sessions.get(session_id, user)
            async with services.limits.stream(user):
                code = await _follow(socket, services, session_id, Cursor.parse(after_seq), run_id)
        except AgenticError as failure:
            await socket.close(_code_of(failure), failure.code)
        else:
            if code is not None:
                await socket.close(code)


async def _follow(
    socket: WebSocket, services: Services, session_id: str, cursor: Cursor, run_id: str | None
) -> int | None:
    """Send events; return why that ends (None: the client has left)."""
    if run_id is not None:
        cursor = cursor.not_before(await services.store.events.first_seq(session_id, run_id))
    events = services.connections.follow(session_id, cursor, run_id, has_text=True)
    async with aclosing(events) as batches:
        code = await send_events(socket, batches)
    if code != END:
        return code
    if services.connections.is_closing:
        return SERVICE_RESTART
    return NOT_FOUND if run_id is None else END


def _code_of(failure: AgenticError) -> int:
    if isinstance(failure, StoreUnavailable) or failure.code == "rate_limited":
        return TRY_AGAIN
    if isinstance(failure, ClientError):
        return UNAUTHENTICATED if failure.code == "unauthenticated" else NOT_FOUND
    return FAILED
