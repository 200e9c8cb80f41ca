"""Many files at once, out: what differs from a manifest, and archives of a workspace."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from common.files.archives import LINES, MEDIA_TYPE, Difference, DifferenceCount, ManifestFile
from common.web.body import pieces_of
from common.web.openapi import Responses, problems
from execution_environment.routes.contexts import RecordedRoute
from execution_environment.routes.dependencies import ServicesDep
from execution_environment.routes.sending import Sending
from execution_environment.routes.workspace_requests import WorkspaceRequestDep

router = APIRouter(prefix="/v1/archives", tags=["archives"], route_class=RecordedRoute)
_ERRORS = (
    "path_not_allowed", "permission_denied", "unauthenticated", "invalid_request", "internal",
    "overloaded", "deadline_exceeded", "malformed_request", "unavailable",
)  # fmt: skip
_TAR = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
_FILE = ManifestFile(path="src/a.py", sha256="0" * 64, size=12)
_DIFFERENCES = [
    Difference(path="src/a.py", state="changed", type="file", sha256="1" * 64, size=9, mode="0644"),
    DifferenceCount(new=0, changed=1, gone=0, same=7, skipped=0, generation="0" * 16),
]
_MANIFEST = {LINES: {"schema": {"type": "string"}, "example": f"{_FILE.model_dump_json()}\n"}}
_LINES = {
    LINES: {
        "schema": {"type": "string"},
        "example": "".join(f"{line.model_dump_json()}\n" for line in _DIFFERENCES),
    }
}
_DIFF: Responses = {
    200: {
        "description": "The differences, a line each, by the bytes of their paths; then the line"
        " that counts them, without which the answer was cut off. As a tar, to whom asks for one:"
        " these lines as `manifest.ndjson`, then the contents that the workspace has, by hash",
        "content": {**_LINES, **_TAR},
    },
    **problems(*_ERRORS, "invalid_archive", "request_too_large", "file_too_large"),
}
_GET: Responses = {
    200: {
        "description": "A tar, in pax format, of files and directories beneath their paths in the"
        " workspace; links and specials are left out",
        "content": _TAR,
    },
    **problems(*_ERRORS, "path_not_found", "not_a_directory", "unsupported_file"),
}


@router.post(
    "/{user}/{workspace}/diff",
    response_class=StreamingResponse,
    responses=_DIFF,
    openapi_extra={"requestBody": {"required": True, "content": _MANIFEST}},
)
async def diff_archive(
    asked: WorkspaceRequestDep, request: Request, services: ServicesDep
) -> Sending:
    """Tell how a workspace differs from a manifest; changes nothing."""
    is_archive = _accepts_tar(request)
    archives = services.archives_out
    outgoing = await archives.diff(asked, pieces_of(request), is_archive=is_archive)
    kind = MEDIA_TYPE if is_archive else LINES
    return Sending(outgoing, archives.send(outgoing), media_type=kind)


@router.get("/{user}/{workspace}", response_class=StreamingResponse, responses=_GET)
async def get_archive(
    asked: WorkspaceRequestDep,
    services: ServicesDep,
    path: Annotated[str, Query(description="A file or a directory")] = ".",
) -> Sending:
    """Send a workspace, or what is at a path of it; it comes whole or the connection ends."""
    outgoing = await services.archives_out.get(replace(asked, path=path))
    name = asked.context.allowed_paths_root.rpartition("/")[2]
    return Sending(
        outgoing,
        services.archives_out.send(outgoing),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}.tar"'},
    )


def _accepts_tar(request: Request) -> bool:
    kinds = ",".join(request.headers.getlist("accept")).split(",")
    return any(kind.partition(";")[0].strip().lower() == MEDIA_TYPE for kind in kinds)
