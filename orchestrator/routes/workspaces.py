"""A user's workspaces: listed with the sessions that name them, looked at, deleted."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from common.context import ExecutionContext
from common.files.workspaces import Workspace
from common.ids import Name
from common.models import Digits, Page
from common.web.openapi import problems
from orchestrator.execution.workspaces import PATIENCE
from orchestrator.routes.dependencies import COMMON, OriginDep, Services, ServicesDep, UserDep
from orchestrator.starting import Origin

router = APIRouter(prefix="/v1/workspaces", tags=["workspaces"])
_ERRORS = ("overloaded", "upstream_failed", "deadline_exceeded", "invalid_state")
DELETE = ("workspace_in_use", "permission_denied", "no_space", *_ERRORS)
"""The errors of what deletes a workspace."""


@router.get("", responses=problems(*COMMON, *_ERRORS))
async def list_workspaces(
    request: Request,
    user: UserDep,
    services: ServicesDep,
    limit: Annotated[Digits, Query(ge=1, le=200)] = 50,
    cursor: Name | None = None,
) -> Page[Workspace]:
    """List the user's workspaces, by name; a page may end early, where counting takes long."""
    page = await services.upstream.workspaces.list(user, limit, cursor, request.state.request_id)
    named = await services.store.workspaces.sessions_of(user, {item.name for item in page.items})
    items = [
        Workspace(**item.model_dump(), sessions=named.get(item.name, [])) for item in page.items
    ]
    return Page(items=items, next_cursor=page.next_cursor)


@router.get("/{name}", responses=problems(*COMMON, *_ERRORS, "workspace_not_found"))
async def read_workspace(
    name: Name, request: Request, user: UserDep, services: ServicesDep
) -> Workspace:
    """Return how large a workspace is, when it was last changed, and which sessions name it."""
    usage = await services.upstream.workspaces.get(user, name, request.state.request_id)
    named = await services.store.workspaces.sessions_of(user, {name})
    return Workspace(**usage.model_dump(), sessions=named.get(name, []))


@router.delete(
    "/{name}", status_code=204, responses=problems(*COMMON, *DELETE, "workspace_not_found")
)
async def delete_workspace(
    name: Name, user: UserDep, origin: OriginDep, services: ServicesDep
) -> None:
    """Delete a workspace with all that is in it, unless a session names it.

    A session that is opened on it at this very moment finds it empty, of another generation.
    """
    await services.store.workspaces.require_unused(user, name)
    await deleted(services, user, name, origin)


async def deleted(services: Services, user: str, name: str, origin: Origin) -> None:
    """Have a workspace deleted; raise `workspace_not_found`."""
    context = ExecutionContext(
        request_id=origin.request_id,
        user_id=user,
        request_source=origin.source,
        allowed_paths_root=f"{user}/{name}",
        timeout=PATIENCE,
    )
    await services.upstream.workspaces.delete(context)
