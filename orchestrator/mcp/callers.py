"""Who calls over MCP, as the request and its envelope say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types import ClientCapabilities, ElicitationCapability
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request

from common.errors import ClientError
from orchestrator.routes.dependencies import MAX_AGENT, origin_of
from orchestrator.starting import Origin

Context = ServerRequestContext[Any, Request]
KEY = "agentic-framework/idempotency-key"
"""In a call's `_meta`: what makes it the same call when it is sent again."""
_KEY = re.compile(r"[A-Za-z0-9:_.-]{1,200}")


@dataclass(frozen=True)
class Caller:
    """One request's sender, and what they can do."""

    user_id: str
    workspace: str
    """"" at the door that belongs to none."""
    origin: Origin
    can_be_asked: bool
    """Whether the client can show its user a form, and send the call again with what they said."""


def caller_of(context: Context) -> Caller:
    """Return who sends a request; the program's name is noted, and means nothing."""
    request = context.request
    if request is None:  # there is no other way in
        raise TypeError("a request that has not come by HTTP")
    origin = origin_of(request, "mcp")
    client = context.session.client_params
    if client is not None:
        name = f"{client.client_info.name}/{client.client_info.version}"
        agent = " ".join(filter(None, [name, origin.source.agent]))[:MAX_AGENT]
        origin = replace(origin, source=origin.source.model_copy(update={"agent": agent}))
    return Caller(
        user_id=str(request.state.user_id),
        workspace=request.path_params.get("workspace", ""),
        origin=origin,
        can_be_asked=context.protocol_version in MODERN_PROTOCOL_VERSIONS
        and _shows_forms(context.session.client_capabilities),
    )


def key_of(meta: Mapping[str, Any] | None) -> str | None:
    """Return the idempotency key of a call; raise `invalid_request` for what is none."""
    key = (meta or {}).get(KEY)
    if key is None:
        return None
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ClientError("invalid_request", f"_meta['{KEY}'] has to match {_KEY.pattern}")
    return key


def _shows_forms(capabilities: ClientCapabilities | None) -> bool:
    asked = None if capabilities is None else capabilities.elicitation
    # one that says nothing more means forms, as it did before there was anything else
    return asked is not None and (asked.form is not None or asked == ElicitationCapability())
