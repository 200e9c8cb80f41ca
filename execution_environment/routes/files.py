"""Whole files: down with ranges, up and away with conditions, as RFC 9110 says."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.convertors import PathConvertor, register_url_convertor

from common.tools import ToolResult
from common.web.body import pieces_of
from common.web.conditions import Validators, asked_range, is_fresh, require_whole
from common.web.openapi import Responses, problems
from execution_environment.calls.downloads import Downloads
from execution_environment.calls.file_request import FileRequest
from execution_environment.routes.contexts import RecordedRoute
from execution_environment.routes.dependencies import ServicesDep
from execution_environment.routes.sending import Sending
from execution_environment.routes.workspace_requests import WorkspaceRequestDep
from execution_environment.workspace.streams import OutgoingFile, etag_of, modified_at

router = APIRouter(prefix="/v1/files", tags=["files"], route_class=RecordedRoute)
_ERRORS = (
    "path_not_allowed", "permission_denied", "path_not_found", "not_a_file", "not_a_directory",
    "unsupported_file", "unauthenticated", "invalid_request", "precondition_failed", "internal",
    "overloaded", "deadline_exceeded", "malformed_request",
)  # fmt: skip
_CHANGE = ("no_space", "idempotency_conflict", "call_expired", "fenced", "unavailable")


async def _file_request(path: str, asked: WorkspaceRequestDep) -> FileRequest:
    return replace(asked, path=path)


FileRequestDep = Annotated[FileRequest, Depends(_file_request)]


_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_DOWNLOAD: Responses = {
    200: {"description": "The file", "content": _BYTES},
    206: {"description": "The range of it that was asked for", "content": _BYTES},
    304: {"description": "The client has this state of it already"},
    **problems(*_ERRORS, "range_not_satisfiable"),
}


class _AnyPath(PathConvertor):
    """Takes every path: Starlette's own ends at a newline, which names may have."""

    regex = "(?s:.*)"


register_url_convertor("any_path", _AnyPath())
_PATH = "/{user}/{workspace}/{path:any_path}"


@router.head(_PATH, status_code=200, response_class=StreamingResponse, responses=_DOWNLOAD)
@router.get(_PATH, status_code=200, response_class=StreamingResponse, responses=_DOWNLOAD)
async def download(asked: FileRequestDep, request: Request, services: ServicesDep) -> Response:
    """Stream a file, or a range of it; it comes whole or the connection ends."""
    outgoing = await services.downloads.open(asked)
    try:
        return _answer(outgoing, request, services.downloads)
    except BaseException:
        outgoing.close()
        raise


def _answer(outgoing: OutgoingFile, request: Request, downloads: Downloads) -> Response:
    size = outgoing.status.st_size
    validators = Validators(etag_of(outgoing.status), modified_at(outgoing.status))
    if is_fresh(request.headers, validators):
        outgoing.close()
        return Response(status_code=304, headers=validators.headers)
    part = asked_range(request.headers, validators, size)
    wanted = range(size) if part is None else part
    headers = {
        **validators.headers,
        "Accept-Ranges": "bytes",
        "Content-Length": str(len(wanted)),
    }
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    pieces = downloads.send(outgoing, range(0) if request.method == "HEAD" else wanted)
    status = 200 if part is None else 206
    return Sending(
        outgoing,
        pieces,
        status_code=status,
        media_type="application/octet-stream",
        headers=headers,
    )


@router.put(
    _PATH,
    status_code=201,
    responses={
        200: {"model": ToolResult, "description": "The file was replaced"},
        **problems(*_ERRORS, *_CHANGE, "quota_exceeded"),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": _BYTES,
        }
    },
)  # fmt: skip
async def upload(
    asked: FileRequestDep, request: Request, response: Response, services: ServicesDep
) -> ToolResult:
    """Take a file in, of any size that the quota has room for, and put it in its place once."""
    require_whole(request.headers)
    result = await services.uploads.take(asked, request.headers, pieces_of(request))
    if not result.receipts[0].created:
        response.status_code = 200
    return result


@router.delete(_PATH, responses=problems(*_ERRORS, *_CHANGE, "directory_not_empty"))
async def delete_file(asked: FileRequestDep, request: Request, services: ServicesDep) -> ToolResult:
    """Remove a file, a link itself or an empty directory, once."""
    return await services.removals.remove(asked, request.headers)
