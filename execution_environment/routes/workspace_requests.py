"""Who asks for which workspace, in the path and in headers: for routes whose body is no JSON."""

from typing import Annotated

from fastapi import Depends, Header, Request

from common.context import MAX_TIMEOUT, ExecutionContext, RequestSource
from common.ids import CallId, Name, new_id
from execution_environment.calls.file_request import FileRequest
from execution_environment.routes.contexts import RefusedContext, context_from


async def _workspace_request(
    user: Name,
    workspace: Name,
    request: Request,
    idempotency_key: Annotated[CallId | None, Header()] = None,
    x_fence: Annotated[int, Header(ge=0, lt=2**63)] = 0,
    x_execution_context: Annotated[str | None, Header()] = None,
) -> FileRequest:
    """Return what is asked for; the context is the caller's, or the least that can be said."""
    context = _context(x_execution_context, user, f"{user}/{workspace}", request)
    return FileRequest(idempotency_key or new_id("call"), x_fence, ".", context)


WorkspaceRequestDep = Annotated[FileRequest, Depends(_workspace_request)]
"""Of the workspace itself."""


def _context(given: str | None, user: str, root: str, request: Request) -> ExecutionContext:
    if given is None:
        return ExecutionContext(
            request_id=request.state.request_id,
            user_id=user,
            request_source=RequestSource(kind="rest"),
            allowed_paths_root=root,
            timeout=MAX_TIMEOUT,
        )
    context = context_from(given)
    if context.allowed_paths_root != root:
        raise RefusedContext("invalid_request", "X-Execution-Context is for another workspace")
    return context
