"""Archives, in: many files at once, and the receipts of what that has changed."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from common.errors import ClientError
from common.files.archives import MEDIA_TYPE, ArchiveResult
from common.ids import CallId, Name
from common.models import Digits, Page
from common.tools import Receipt
from common.web.body import pieces_of
from common.web.conditions import require_whole
from common.web.openapi import problems
from execution_environment.routes.contexts import RecordedRoute
from execution_environment.routes.dependencies import ServicesDep
from execution_environment.routes.workspace_requests import WorkspaceRequestDep

router = APIRouter(prefix="/v1/archives", tags=["archives"])
changing = APIRouter(prefix="/v1/archives", tags=["archives"], route_class=RecordedRoute)
_ERRORS = (
    "unauthenticated", "invalid_request", "malformed_request", "overloaded", "deadline_exceeded",
    "unavailable", "internal",
)  # fmt: skip
_CHANGE = (
    "invalid_archive", "changed_elsewhere", "content_missing", "request_too_large",
    "unsupported_media_type", "file_too_large", "path_not_allowed", "permission_denied",
    "quota_exceeded", "no_space", "idempotency_conflict", "call_expired", "fenced",
)  # fmt: skip


@changing.put(
    "/{user}/{workspace}",
    responses=problems(*_ERRORS, *_CHANGE),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_archive(
    asked: WorkspaceRequestDep,
    request: Request,
    services: ServicesDep,
    force: Annotated[bool, Query()] = False,
) -> ArchiveResult:
    """Put many files in their places, and take others away: all of it once, or nothing.

    `force` overrides files that have changed; never a directory with files in it, or a link.
    """
    require_whole(request.headers)
    _require_plain(request)
    return await services.archives_in.take(asked, pieces_of(request), force=force)


@router.get(
    "/{user}/{workspace}/receipts/{call_id}", responses=problems(*_ERRORS, "path_not_found")
)
async def list_receipts(
    user: Name,
    workspace: Name,
    call_id: CallId,
    services: ServicesDep,
    limit: Annotated[Digits, Query(ge=1, le=1000)] = 200,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> Page[Receipt]:
    """List what an archive has changed, a receipt for each file."""
    return await services.archives_in.receipts(f"{user}/{workspace}", call_id, cursor, limit)


def _require_plain(request: Request) -> None:
    """Raise unless the body is a tar stream as it is: unpacked, it may be of any length."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != MEDIA_TYPE:
        raise ClientError("unsupported_media_type", f"The body must be {MEDIA_TYPE}")
    encodings = request.headers.getlist("content-encoding")
    if any(name.strip().lower() != "identity" for name in ",".join(encodings).split(",") if name):
        raise ClientError("unsupported_media_type", "The body must not be compressed")
