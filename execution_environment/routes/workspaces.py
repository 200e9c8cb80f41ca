"""Workspaces as things of their own: listed, looked at, deleted."""

from typing import Annotated

from fastapi import APIRouter, Query

from common.files.workspaces import WorkspaceUsage
from common.ids import Name
from common.models import Digits, Page
from common.web.openapi import problems
from execution_environment.routes.contexts import RecordedRoute
from execution_environment.routes.dependencies import ServicesDep
from execution_environment.routes.workspace_requests import WorkspaceRequestDep

router = APIRouter(prefix="/v1/workspaces", tags=["workspaces"])
changing = APIRouter(prefix="/v1/workspaces", tags=["workspaces"], route_class=RecordedRoute)
_ERRORS = (
    "unauthenticated", "invalid_request", "malformed_request", "overloaded", "deadline_exceeded",
    "unavailable", "internal",
)  # fmt: skip
_CHANGE = (
    "permission_denied", "path_not_allowed", "idempotency_conflict", "call_expired", "fenced",
    "no_space",
)  # fmt: skip


@router.get("/{user}", responses=problems(*_ERRORS))
async def list_workspaces(
    user: Name,
    services: ServicesDep,
    limit: Annotated[Digits, Query(ge=1, le=200)] = 50,
    cursor: Name | None = None,
) -> Page[WorkspaceUsage]:
    """List a user's workspaces, by name; a page ends early where counting takes long."""
    return await services.workspaces.list(user, limit, cursor)


@router.get("/{user}/{workspace}", responses=problems(*_ERRORS, "workspace_not_found"))
async def read_workspace(user: Name, workspace: Name, services: ServicesDep) -> WorkspaceUsage:
    """Return how large a workspace is, and when it was last changed."""
    return await services.workspaces.get(user, workspace)


@changing.delete(
    "/{user}/{workspace}",
    status_code=204,
    responses=problems(*_ERRORS, *_CHANGE, "workspace_not_found"),
)
async def delete_workspace(asked: WorkspaceRequestDep, services: ServicesDep) -> None:
    """Remove a workspace with all that is in it, once."""
    await services.workspaces.delete(asked)
