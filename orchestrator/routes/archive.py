"""Many files of a session's workspace at once: as one archive in, compared, and out."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from common.files.archives import LINES, MEDIA_TYPE, ArchiveResult
from common.ids import CallId
from common.models import Digits, Page
from common.tools import Receipt
from common.web.openapi import Responses, problems
from orchestrator.routes.dependencies import COMMON
from orchestrator.routes.relaying import CHANGE, TRANSFER, RelayerDep

router = APIRouter(prefix="/v1/sessions/{session_id}/archive", tags=["archive"])
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TAR = {MEDIA_TYPE: _BINARY}
_DIFF: Responses = {
    200: {
        "description": "The differences, a line each, or with `Accept: application/x-tar` an"
        " archive of them and of what is new or changed",
        "content": {LINES: _BINARY, **_TAR},
    }
}
_FORM = ("invalid_archive", "file_too_large")


@router.put(
    "",
    response_model=ArchiveResult,
    responses=problems(*COMMON, *TRANSFER, *CHANGE, *_FORM, "changed_elsewhere", "content_missing"),
    openapi_extra={"requestBody": {"required": True, "content": _TAR}},
)
async def put_archive(relayer: RelayerDep, force: bool = False) -> Response:
    """Make all changes that an archive's manifest names, once, or none of them."""
    params = {"force": str(force).lower()}
    return await relayer.relay("archives", params=params, has_body=True)


@router.get(
    "",
    response_class=Response,
    responses={200: {"description": "A tar", "content": _TAR}, **problems(*COMMON, *TRANSFER)},
)
async def get_archive(
    relayer: RelayerDep, path: Annotated[str, Query(max_length=20_000)] = "."
) -> Response:
    """Stream a tar of the workspace, or of a path in it, with the files' own names."""
    return await relayer.relay("archives", params={"path": path})


@router.post(
    "/diff",
    response_class=Response,
    responses={**_DIFF, **problems(*COMMON, *TRANSFER, *_FORM)},
    openapi_extra={"requestBody": {"required": True, "content": {LINES: _BINARY}}},
)
async def compare(relayer: RelayerDep) -> Response:
    """Tell where the workspace differs from a manifest: what is new, changed and gone there."""
    return await relayer.relay("archives", "diff", has_body=True)


@router.get(
    "/receipts/{call_id}",
    response_model=Page[Receipt],
    responses=problems(*COMMON, *TRANSFER, "invalid_state", "call_expired"),
)
async def read_receipts(
    call_id: CallId,
    relayer: RelayerDep,
    limit: Annotated[Digits, Query(ge=1, le=1000)] = 200,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Return a page of what an archive has changed, by the id of its result."""
    params = {"limit": str(limit), **({} if cursor is None else {"cursor": cursor})}
    return await relayer.relay("archives", f"receipts/{call_id}", params=params)
