"""Sessions: open, list, read, change, delete."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Response

from common.errors import ClientError
from common.models import Page
from common.sessions import Session, SessionCreate, SessionPatch
from common.web.answers import answered
from common.web.body import JsonRoute
from common.web.openapi import Responses, problems
from orchestrator.routes.dependencies import (
    BODY,
    COMMON,
    IdempotencyKey,
    OriginDep,
    PagingDep,
    Services,
    ServicesDep,
    SessionDep,
    UserDep,
    require_rules,
)
from orchestrator.routes.revisions import ETAG, RevisionDep, etag, if_match, shows
from orchestrator.routes.workspaces import DELETE, deleted
from orchestrator.starting import Origin, idempotency

router = APIRouter(prefix="/v1/sessions", tags=["sessions"], route_class=JsonRoute)
_OPENED: Responses = {201: {"description": "The session", "headers": ETAG}}
_SHOWN = shows(Session, "The session")
_CHANGES = [{"rules": [{"path": "secrets", "effect": "deny"}]}, {"metadata": {"ticket": "14"}}]


@router.post("", status_code=201, responses=_OPENED | problems(*COMMON, *BODY))
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
    response.headers["ETag"] = etag(session.revision)
    return session


@router.get("", response_model=Page[Session], responses=problems(*COMMON))
async def list_sessions(user: UserDep, paging: PagingDep, services: ServicesDep) -> Response:
    """List the user's sessions, the newest first."""
    return await answered(await services.store.sessions.list(user, paging.limit, paging.cursor))


@router.get("/{session_id}", responses=_SHOWN | problems(*COMMON, "session_not_found"))
async def read_session(session: SessionDep, response: Response) -> Session:
    """Return a session."""
    response.headers["ETag"] = etag(session.revision)
    return session


@router.patch(
    "/{session_id}",
    responses=_SHOWN | problems(*COMMON, *BODY, "session_not_found", "precondition_failed"),
    openapi_extra=if_match(required=True),
)
async def change_session(
    body: Annotated[SessionPatch, Body(examples=_CHANGES)],
    session: SessionDep,
    services: ServicesDep,
    revision: RevisionDep,
    response: Response,
) -> Session:
    """Change what is named, the rest stays; rules hold for calls to come, of its runs as well."""
    if body.rules is not None:
        await require_rules(services, body.rules)
    changed = await services.store.session_changes.patch(session, body, revision)
    response.headers["ETag"] = etag(changed.revision)
    return changed


@router.delete(
    "/{session_id}",
    status_code=204,
    responses=problems(*COMMON, *DELETE, "session_not_found", "session_busy"),
)
async def delete_session(
    session: SessionDep,
    origin: OriginDep,
    services: ServicesDep,
    workspace: Literal["keep", "delete"] = "keep",
) -> None:
    """Delete a session with its runs and events; its workspace stays, unless it is to go as well.

    The workspace goes first: of a request that ends in between, the same one again does the rest.
    """
    if workspace == "delete":
        await _delete_workspace(session, origin, services)
    await services.store.sessions.delete(session.id, session.user_id)


async def _delete_workspace(session: Session, origin: Origin, services: Services) -> None:
    """Delete a session's workspace, if it was ever made, unless somebody works in it.

    A run that starts at this very moment finds it empty, and keeps the session.
    """
    if session.active_run is not None:
        raise ClientError("session_busy", "A run of this session is still active")
    user, name = session.user_id, session.workspace
    await services.store.workspaces.require_unused(user, name, but_for=session.id)
    try:
        await deleted(services, user, name, origin)
    except ClientError as failure:
        if failure.code != "workspace_not_found":
            raise
