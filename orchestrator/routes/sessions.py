"""Sessions: open, list, read, delete."""

from fastapi import APIRouter, Response

from common.models import Page
from common.runs import Session, SessionCreate
from common.web.answers import answered
from common.web.body import JsonRoute
from common.web.openapi import problems
from orchestrator.routes.dependencies import (
    BODY,
    COMMON,
    IdempotencyKey,
    PagingDep,
    ServicesDep,
    SessionDep,
    UserDep,
    idempotency,
)

router = APIRouter(prefix="/v1/sessions", tags=["sessions"], route_class=JsonRoute)


@router.post("", status_code=201, responses=problems(*COMMON, *BODY))
async def create_session(
    body: SessionCreate,
    response: Response,
    user: UserDep,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
) -> Session:
    """Open a session on a workspace, a fresh one unless it is named."""
    session = await services.store.sessions.create(
        user, body.workspace, body.metadata, body.ttl, idempotency(idempotency_key, body)
    )
    response.headers["Location"] = f"/v1/sessions/{session.id}"
    return session


@router.get("", response_model=Page[Session], responses=problems(*COMMON))
async def list_sessions(user: UserDep, paging: PagingDep, services: ServicesDep) -> Response:
    """List the user's sessions, the newest first."""
    return await answered(await services.store.sessions.list(user, paging.limit, paging.cursor))


@router.get("/{session_id}", responses=problems(*COMMON, "session_not_found"))
async def read_session(session: SessionDep) -> Session:
    """Return a session."""
    return session


@router.delete(
    "/{session_id}",
    status_code=204,
    responses=problems(*COMMON, "session_not_found", "session_busy"),
)
async def delete_session(session: SessionDep, services: ServicesDep) -> None:
    """Delete a session with its runs and events; its workspace stays."""
    await services.store.sessions.delete(session.id, session.user_id)
