"""The protocol's side of the door: what a server answers to, put together with its library."""

import asyncio
import hmac
from importlib.metadata import version
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from pydantic import SecretStr

from orchestrator.mcp.callers import Context, caller_of, key_of
from orchestrator.mcp.calling.asking import answer_to
from orchestrator.mcp.calling.call import Request
from orchestrator.mcp.calling.calls import Calls
from orchestrator.mcp.faults import told_as_error, told_as_result
from orchestrator.mcp.resources import Resources
from orchestrator.mcp.results import succeeded
from orchestrator.mcp.runs import Runs
from orchestrator.mcp.sessions import Sessions
from orchestrator.mcp.tools import listed, require_no_cursor
from orchestrator.mcp.verbs import Verbs
from orchestrator.routes.dependencies import Services

NAME = "agentic-framework"
ANSWERED_WITHIN = 600.0
"""Seconds that a person has for an answer: what they were shown is sealed with the time."""
_PURPOSE = b"agentic-framework: state of MCP requests"
_ABOUT_FILES = (
    "Files of one workspace. Paths are relative to it and '/'-separated; lines count from 1."
    " A failed call says in its hint what to do next. Send a call whose answer was lost again with the"
    " same _meta['agentic-framework/idempotency-key']: it happens once."
)
_ABOUT_RUNS = (
    "Agents that work on files. 'start_run' gives one a goal in a workspace; 'run_status' waits for it and"
    " shows what it asks; 'approve' and 'send_message' answer; 'cancel_run' ends it."
)


class WorkspaceTools:
    """Serves a workspace's tools; which workspace, and whose, each request says."""

    def __init__(self, services: Services, calls: Calls) -> None:
        self._services = services
        self._calls = calls

    async def list_tools(
        self, _context: Context, params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        """List every tool on one page."""
        require_no_cursor(params)
        return ListToolsResult(tools=listed(await self._services.catalogue.tools()))

    async def call_tool(
        self, context: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; whatever keeps it from happening is told as the tool's error."""

        async def called() -> CallToolResult | InputRequiredResult:
            outcome = await self._calls.call(
                Request(
                    caller=caller_of(context),
                    tool=params.name,
                    arguments=params.arguments or {},
                    key=key_of(context.meta),
                    answer=answer_to(params.request_state, params.input_responses),
                )
            )
            return outcome if isinstance(outcome, InputRequiredResult) else succeeded(outcome)

        return await told_as_result(context, called)


def workspace_server(services: Services, secret: SecretStr, ending: asyncio.Event) -> Server[Any]:
    """Return the server for workspaces; `secret` keeps what clients carry between two requests.

    `ending` is set when the process ends.
    """
    calls = Calls(services, Sessions(services.store), ending)
    tools, resources = WorkspaceTools(services, calls), Resources(calls)
    server: Server[Any] = Server(
        NAME,
        version=version(NAME),
        instructions=_ABOUT_FILES,
        get_tool_input_schema=_in_no_header,
        on_list_tools=tools.list_tools,
        on_call_tool=tools.call_tool,
        on_list_resources=resources.list,
        on_list_resource_templates=resources.templates,
        on_read_resource=resources.read,
    )
    return _guarded(server, secret)


def verbs_server(services: Services, secret: SecretStr) -> Server[Any]:
    """Return the server for the orchestrator's own verbs; `secret` as above."""
    verbs = Verbs(Runs(services, Sessions(services.store)))
    server: Server[Any] = Server(
        NAME,
        version=version(NAME),
        instructions=_ABOUT_RUNS,
        get_tool_input_schema=_in_no_header,
        on_list_tools=verbs.list_tools,
        on_call_tool=verbs.call_tool,
    )
    return _guarded(server, secret)


def _in_no_header(_tool: str) -> None:
    """Say that no argument of a tool travels in a header, too."""


def _guarded(server: Server[Any], secret: SecretStr) -> Server[Any]:
    # instead of the library's own tracing: `traceparent` is passed on as everywhere
    server.middleware[:] = [told_as_error, _sealing(secret)]
    return server


def _sealing(secret: SecretStr) -> RequestStateBoundary:
    """Return what seals approval states: for one user, in one workspace, and for these very arguments."""
    security = RequestStateSecurity(
        keys=[_key(secret)], ttl=ANSWERED_WITHIN, bind_principal=_whose, audience=NAME
    )
    return RequestStateBoundary(security, default_audience=NAME)


def _key(secret: SecretStr) -> bytes:
    """Return a key of its own, so that what it seals says nothing of the secret."""
    return hmac.digest(secret.get_secret_value().encode(), _PURPOSE, "sha256")


def _whose(context: Context) -> str:
    caller = caller_of(context)
    return f"{caller.user_id}/{caller.workspace}"
