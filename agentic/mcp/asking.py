"""Approvals in the middle of a call: newer clients send the call again, older ones are asked here."""

from collections.abc import Mapping
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types import (
    ElicitationCapability,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from agentic.api.transport import fault

Context = ServerRequestContext[Any, Any]
FORMS: Mapping[str, Any] = {"elicitation": {"form": {}}}
"""What the orchestrator is told of a client that can show its user a form."""


def is_newer(context: Context) -> bool:
    """Tell whether the client speaks a revision in which a call is sent again with what was said."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def shows_forms(context: Context) -> bool:
    """Tell whether the client can ask its user by a form; one that names no way has this one."""
    declared = context.session.client_capabilities
    asks = None if declared is None else declared.elicitation
    return asks is not None and (asks.form is not None or asks == ElicitationCapability())


async def said_to(context: Context, required: Mapping[str, Any]) -> dict[str, Any]:
    """Ask an older client's user what a result wants to know; return what the call is sent again with."""
    wanted = InputRequiredResult.model_validate(required)
    responses = {
        name: await _said(context, request)
        for name, request in (wanted.input_requests or {}).items()
    }
    state = {} if wanted.request_state is None else {"requestState": wanted.request_state}
    return {"inputResponses": responses, **state}


async def _said(context: Context, request: object) -> dict[str, Any]:
    if not isinstance(request, ElicitRequest) or not isinstance(
        request.params, ElicitRequestFormParams
    ):
        raise fault("upstream_failed", "The orchestrator asks for what nobody has offered")
    form = request.params
    said = await context.session.elicit_form(
        form.message, form.requested_schema, related_request_id=context.request_id
    )
    return said.model_dump(mode="json", by_alias=True, exclude_none=True)
