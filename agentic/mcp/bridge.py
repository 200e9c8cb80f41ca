"""The server that an MCP client meets: it answers with what the orchestrator's door for MCP does."""

import secrets
from collections.abc import Mapping
from typing import Any

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    SERVER_INFO_META_KEY,
    CallToolRequestParams,
    CallToolResult,
    DiscoverResult,
    Implementation,
    JSONRPCNotification,
    PaginatedRequestParams,
    ProgressNotificationParams,
    ReadResourceRequestParams,
    RequestParams,
    TextContent,
)

from agentic.api.transport import fault
from agentic.local.ownership import StackError
from agentic.mcp.asking import FORMS, Context, is_newer, said_to, shows_forms
from agentic.mcp.upstream import Question, Upstream
from common.errors import AgenticError, SystemFault

KEY = "agentic-framework/idempotency-key"
"""In a call's `_meta`: what makes it the same call when it is sent again."""
MAX_ROUNDS = 10
"""How often one call can ask its user."""
_CALL = "tools/call"
_NOT_FOUND = -32002
_METHODS: Mapping[str, Mapping[str, type[RequestParams]]] = {
    "tools": {"tools/list": PaginatedRequestParams, _CALL: CallToolRequestParams},
    "resources": {
        "resources/list": PaginatedRequestParams,
        "resources/templates/list": PaginatedRequestParams,
        "resources/read": ReadResourceRequestParams,
    },
}
"""What is passed on of each thing that the door can do."""


async def bridge_to(upstream: Upstream, info: Mapping[str, Any]) -> Server[Any]:
    """Return a server that is what the door says of itself; `info`: who asks it that.

    Raises AgenticError where it cannot be asked, and StackError where there is nobody.
    """
    told = await upstream.ask(Question("server/discover", {}, info, {}))
    found = DiscoverResult.model_validate(told)
    own = Implementation.model_validate(told["_meta"][SERVER_INFO_META_KEY])
    server: Server[Any] = Server(
        own.name,
        version=own.version,
        title=own.title,
        description=own.description,
        website_url=own.website_url,
        icons=own.icons,
        instructions=found.instructions,
    )
    server.middleware.clear()  # the library's own tracing: the orchestrator traces
    bridge = Bridge(upstream, info)
    for kind in found.capabilities.model_fields_set & _METHODS.keys():
        for method, params in _METHODS[kind].items():
            server.add_request_handler(method, params, bridge.pass_on)
    return server


class Bridge:
    """Passes a client's requests on, and brings back what comes of them."""

    def __init__(self, upstream: Upstream, info: Mapping[str, Any]) -> None:
        """`info`: who sends the requests of a client that does not say who it is."""
        self._upstream = upstream
        self._info = info

    async def pass_on(self, context: Context, _params: RequestParams) -> dict[str, Any]:
        """Return the result as it came; what keeps a call from being made is told as its result."""
        try:
            return await self._answered(context)
        except MCPError as error:
            raise _of_era(error, context) from error
        except StackError as error:
            failure: AgenticError = fault("unavailable", str(error))
            failure.outcome = "unknown"  # it may have been lost on its way to an earlier stack
        except AgenticError as error:
            failure = error
        if context.method == _CALL:
            return _failed(failure)
        code = INTERNAL_ERROR if isinstance(failure, SystemFault) else INVALID_PARAMS
        raise MCPError(code, f"{failure.code}: {failure.detail}", _problem(failure))

    async def _answered(self, context: Context) -> dict[str, Any]:
        """Send a request, and again while it asks a user whom an older client has."""
        params = dict(context.params or {})
        # a state says which call it is about
        if context.method == _CALL and params.get("requestState") is None:
            meta = params.get("_meta") or {}
            key = meta.get(KEY)
            params["_meta"] = {**meta, KEY: secrets.token_hex(16) if key is None else key}
        progress = Progress(context)
        for _ in range(MAX_ROUNDS):
            result = await self._upstream.ask(self._question(context, params, progress))
            if is_newer(context) or result.get("resultType") != "input_required":
                return result
            params = {**params, **await said_to(context, result)}
        raise fault("upstream_failed", f"The call has asked its user {MAX_ROUNDS} times")

    def _question(
        self, context: Context, params: Mapping[str, Any], progress: "Progress"
    ) -> Question:
        client = context.session.client_params
        return Question(
            context.method,
            params,
            self._info if client is None else _plain(client.client_info),
            FORMS if shows_forms(context) else {},
            progress.heard,
        )


class Progress:
    """What a request's sender is told of its progress, which only grows, however often it is sent."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told = float("-inf")

    async def heard(self, note: JSONRPCNotification) -> None:
        """Pass a notification on where it is about progress, and tells anything new."""
        if note.method != "notifications/progress":
            return
        told = ProgressNotificationParams.model_validate(note.params)
        if told.progress > self._told:
            self._told = told.progress
            await self._context.session.report_progress(told.progress, told.total, told.message)


def _of_era(error: MCPError, context: Context) -> MCPError:
    """Return an error as the client's revision has it: older ones have a code for what is not there."""
    is_missing = isinstance(error.data, dict) and error.data.get("code") == "path_not_found"
    if is_missing and context.method == "resources/read" and not is_newer(context):
        return MCPError(_NOT_FOUND, error.message, error.data)
    return error


def _failed(failure: AgenticError) -> dict[str, Any]:
    """Return the result of a call that has failed on its way, as the door tells of others."""
    problem = _problem(failure)
    words = "{code}: {detail}\nHint: {hint}\nOutcome: {outcome}".format(**problem)
    text = TextContent(text=words)
    return _plain(CallToolResult(content=[text], structured_content=problem, is_error=True))


def _problem(failure: AgenticError) -> dict[str, Any]:
    return failure.problem("client", failure.request_id).model_dump(mode="json")


def _plain(model: CallToolResult | Implementation) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
