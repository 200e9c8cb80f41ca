"""The files of a session's workspace: read, replaced and removed; directories are listed."""

from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import JsonValue
from starlette.convertors import PathConvertor, register_url_convertor

from common.errors import ToolError
from common.files.directories import DirectoryPage
from common.ids import new_id
from common.models import Digits
from common.tools import ToolCall, ToolResult
from common.web.openapi import Responses, problems
from orchestrator.routes.dependencies import COMMON
from orchestrator.routes.relaying import BYTES, CHANGE, TRANSFER, Relayer, RelayerDep

LISTING_TIME = 60.0
"""Seconds that a directory may take to be listed."""
router = APIRouter(prefix="/v1/sessions/{session_id}/files", tags=["files"])


class _AnyPath(PathConvertor):
    """Takes every path: Starlette's own ends at a newline, which names may have."""

    regex = "(?s:.*)"


register_url_convertor("any_path", _AnyPath())
_PATH = "/{path:any_path}"


@dataclass(frozen=True)
class _Listing:
    """Which page of a directory is wanted, and of how many levels; a file has none."""

    depth: int
    limit: int
    cursor: str | None


async def _listing(
    depth: Annotated[Digits, Query(ge=1, le=100)] = 1,
    limit: Annotated[Digits, Query(ge=1, le=1000)] = 200,
    cursor: Annotated[str | None, Query(max_length=20_000)] = None,
) -> _Listing:
    return _Listing(depth, limit, cursor)


_ListingDep = Annotated[_Listing, Depends(_listing)]
_READ: Responses = {
    200: {
        "model": DirectoryPage,
        "description": "The file; or what is in the directory, as JSON",
        "content": BYTES,
    },
    206: {"description": "The range of the file that was asked for", "content": BYTES},
    304: {"description": "The client has this state of the file already"},
    **problems(
        *COMMON, *TRANSFER, "precondition_failed", "range_not_satisfiable", "output_too_large",
        "invalid_arguments",
    ),
}  # fmt: skip


@router.head("", responses=_READ, response_class=Response)
@router.get("", responses=_READ, response_class=Response)
async def list_workspace(relayer: RelayerDep, listing: _ListingDep) -> Response:
    """List what is at the top of the workspace; one that was not made yet is empty."""
    return await _listed(relayer, ".", listing)


@router.head(_PATH, responses=_READ, response_class=Response)
@router.get(_PATH, responses=_READ, response_class=Response)
async def read_file(path: str, relayer: RelayerDep, listing: _ListingDep) -> Response:
    """Stream a file, or a range of it; list a directory, page by page, as JSON."""
    if not path:
        return await _listed(relayer, ".", listing)
    try:
        return await relayer.relay("files", path)
    except ToolError as refusal:
        if refusal.code != "not_a_file":
            raise
    return await _listed(relayer, path, listing)


async def _listed(relayer: Relayer, path: str, listing: _Listing) -> Response:
    context = relayer.context.model_copy(update={"timeout": LISTING_TIME})
    asked: dict[str, JsonValue] = {"path": path, **asdict(listing)}
    call = ToolCall(
        id=new_id("call"), fence=0, tool="list_directory", arguments=asked, context=context
    )
    result = await relayer.services.upstream.calls.run(call, relayer.request.state.traceparent)
    page = DirectoryPage.model_validate(result.output)
    return Response(page.model_dump_json(), media_type="application/json")


@router.put(
    _PATH,
    status_code=201,
    response_model=ToolResult,
    responses={
        200: {"model": ToolResult, "description": "The file was replaced"},
        **problems(*COMMON, *TRANSFER, *CHANGE),
    },
    openapi_extra={"requestBody": {"required": True, "content": BYTES}},
)
async def write_file(path: str, relayer: RelayerDep) -> Response:
    """Take a file in, of any size that the quota has room for, and put it in its place once."""
    return await relayer.relay("files", path, has_body=True)


@router.delete(
    _PATH,
    response_model=ToolResult,
    responses=problems(*COMMON, *TRANSFER, *CHANGE, "directory_not_empty"),
)
async def delete_file(path: str, relayer: RelayerDep) -> Response:
    """Remove a file, a link itself or an empty directory, once."""
    return await relayer.relay("files", path)
