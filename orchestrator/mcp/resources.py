"""The workspace's files as resources: `file:///` and a path, a name at a time in percent-encoding.

They are read by the tools, so that whatever holds for those holds here.
"""

import base64
from dataclasses import replace
from mimetypes import guess_type
from urllib.parse import quote, unquote

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    InputRequiredResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from common.errors import ToolError
from common.models import Items, Lenient
from orchestrator.mcp.callers import Context, caller_of
from orchestrator.mcp.calling.asking import answer_to
from orchestrator.mcp.calling.call import Arguments, Request
from orchestrator.mcp.calling.calls import Calls
from orchestrator.mcp.faults import noted
from orchestrator.mcp.tools import require_no_cursor

MAX_SIZE = 1024 * 1024
"""Bytes of a file that comes as a whole."""
PAGE = 200
"""Files on a page of the list."""
_ROOT = "file:///"
_NOT_FOUND = -32002
"""What older revisions call a resource that is not there; newer ones call it invalid parameters."""
_TEMPLATE = ResourceTemplate(
    name="file",
    uri_template=f"{_ROOT}{{+path}}",
    description="A file of the workspace, by its path.",
)


class _Entry(Lenient):
    """A file, as `find_files` lists it."""

    path: str
    size: int | None = None


class _Page(Lenient):
    """What `find_files` gives."""

    entries: Items[_Entry]
    next_cursor: str | None = None


class _File(Lenient):
    """What `read_file` gives."""

    content: str
    size: int
    truncated: bool


class Resources:
    """Lists and reads the files of a workspace."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def templates(
        self, _context: Context, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """Return how a file is named."""
        require_no_cursor(params)
        return ListResourceTemplatesResult(resource_templates=[_TEMPLATE])

    async def list(
        self, context: Context, params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        """Return a page of the workspace's files; nobody can be asked in the middle of a list."""
        arguments: Arguments = {"glob": "*", "type": "file", "limit": PAGE}
        if params is not None and params.cursor is not None:
            arguments["cursor"] = params.cursor
        caller = replace(caller_of(context), can_be_asked=False)
        found = await self._calls.call(Request(caller, "find_files", arguments))
        if isinstance(found, InputRequiredResult):
            raise TypeError("a caller that cannot be asked was asked")
        page = _Page.model_validate(found.output)
        resources = [_resource(entry) for entry in page.entries]
        return ListResourcesResult(resources=resources, next_cursor=page.next_cursor)

    async def read(
        self, context: Context, params: ReadResourceRequestParams
    ) -> ReadResourceResult | InputRequiredResult:
        """Return a file: text where it is UTF-8, else bytes.

        Raises the protocol's error, with the problem and the URI as its data, for what is no file, and
        for one that is to be read in parts.
        """
        try:
            return await self._read(context, params)
        except ToolError as refusal:
            raise _error(refusal, params.uri, context) from refusal

    async def _read(
        self, context: Context, params: ReadResourceRequestParams
    ) -> ReadResourceResult | InputRequiredResult:
        arguments: Arguments = {
            "path": _path_of(params.uri),
            "offset": 0,
            "max_bytes": MAX_SIZE,
            "encoding": "base64",
            "hash": False,
        }
        answer = answer_to(params.request_state, params.input_responses)
        request = Request(caller_of(context), "read_file", arguments, answer=answer)
        result = await self._calls.call(request)
        if isinstance(result, InputRequiredResult):
            return result
        return ReadResourceResult(
            contents=[_contents(params.uri, _File.model_validate(result.output))]
        )


def _path_of(uri: str) -> str:
    """Return the path that a URI names; raise `invalid_arguments` for what names no file here.

    Each name is decoded by itself: none can have become two, or have climbed, before its path is parsed.
    No library takes the URI apart: those drop tabs and line ends, and read another file's name.
    """
    after = uri.removeprefix(_ROOT)
    if after == uri or "?" in after or "#" in after:
        raise _no_resource()
    try:
        names = [unquote(name, errors="strict") for name in after.split("/")]
    except UnicodeDecodeError:
        raise _no_resource() from None
    if any("/" in name for name in names):
        raise _no_resource()
    return "/".join(names)


def _no_resource() -> ToolError:
    return ToolError(
        "invalid_arguments",
        "That is no resource of a workspace",
        hint=f"Write {_ROOT} and the path, each name of it percent-encoded.",
    )


def _resource(entry: _Entry) -> Resource:
    return Resource(
        uri=_ROOT + quote(entry.path),
        name=entry.path,
        size=entry.size,
        mime_type=guess_type(entry.path)[0],
    )


def _contents(uri: str, file: _File) -> TextResourceContents | BlobResourceContents:
    if file.truncated:
        raise ToolError(
            "file_too_large",
            "The file is too large to be a resource",
            hint="Read it in parts, by the tool read_file.",
            limit=MAX_SIZE,
            actual=file.size,
        )
    kind = guess_type(uri)[0]
    try:
        text = base64.b64decode(file.content).decode()
    except UnicodeDecodeError:
        return BlobResourceContents(uri=uri, mime_type=kind, blob=file.content)
    return TextResourceContents(uri=uri, mime_type=kind, text=text)


def _error(refusal: ToolError, uri: str, context: Context) -> MCPError:
    is_newer = context.protocol_version in MODERN_PROTOCOL_VERSIONS
    is_missing = refusal.code == "path_not_found"
    problem = refusal.problem("orchestrator", noted(refusal, context)).model_dump(mode="json")
    return MCPError(
        _NOT_FOUND if is_missing and not is_newer else INVALID_PARAMS,
        f"{refusal.code}: {refusal.detail}",
        {**problem, "uri": uri},
    )
