"""Tools: what there is, and calls."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from common.ids import CallId
from common.tools import (
    BatchResults,
    Settlement,
    ToolCall,
    ToolCallBatch,
    ToolResult,
    ToolSpec,
)
from common.web.answers import answered
from common.web.openapi import problems
from execution_environment.routes.contexts import RecordedCall, RecordedRoute, context_from
from execution_environment.routes.dependencies import ProblemOfDep, ServicesDep
from execution_environment.transactions.settlement import SettleRequest

router = APIRouter(prefix="/v1", tags=["tools"], route_class=RecordedRoute)
calls = APIRouter(prefix="/v1", tags=["tools"], route_class=RecordedCall)

_CALL_ERRORS = problems(
    "invalid_arguments", "path_not_allowed", "permission_denied", "path_not_found",
    "tool_not_found", "already_exists", "not_a_file", "not_a_directory", "hash_mismatch",
    "file_too_large", "output_too_large", "unsupported_file", "binary_file", "text_not_found",
    "text_not_unique", "invalid_pattern", "no_space", "malformed_request", "unauthenticated",
    "request_too_large", "unsupported_media_type", "invalid_request", "internal", "overloaded",
    "deadline_exceeded", "quota_exceeded", "directory_not_empty", "patch_failed",
    "idempotency_conflict", "call_expired", "fenced", "rate_limited", "unavailable",
)  # fmt: skip

_BATCH_ERRORS = problems(
    "malformed_request", "unauthenticated", "request_too_large", "unsupported_media_type",
    "invalid_request", "internal",
)  # fmt: skip


@router.get("/tools", responses=problems("malformed_request", "unauthenticated", "internal"))
async def list_tools(services: ServicesDep) -> list[ToolSpec]:
    """Return every tool with the schemas of its arguments and its output."""
    return [tool.spec for tool in services.registry.all()]


@calls.post("/tool-calls", responses=_CALL_ERRORS)
async def call_tool(call: ToolCall, services: ServicesDep) -> ToolResult:
    """Run one tool call, once: the same id again gives the stored result."""
    return await services.executor.run(call)


@calls.post("/tool-calls:batch", response_model=BatchResults, responses=_BATCH_ERRORS)
async def call_tools(
    batch: ToolCallBatch, services: ServicesDep, problem_of: ProblemOfDep
) -> Response:
    """Run several calls of tools that only read, at once: each has its own result or problem, in order."""
    ended = await services.batches.run(batch.calls)
    results = [one if isinstance(one, ToolResult) else problem_of(one) for one in ended]
    return await answered(BatchResults(results=results))


async def _asked(
    call_id: CallId,
    request: Request,
    x_fence: Annotated[int, Header(ge=0, lt=2**63)] = 0,
    x_execution_context: Annotated[str | None, Header()] = None,
) -> SettleRequest:
    """Return which call is meant; the fence counts within the session that the context names."""
    context = None if x_execution_context is None else context_from(x_execution_context)
    return SettleRequest(call_id, x_fence, request.state.request_id, context)


@router.delete(
    "/tool-calls/{call_id}",
    responses=problems(
        "malformed_request", "unauthenticated", "call_expired", "fenced", "invalid_request", "internal", "no_space",
        "deadline_exceeded",
    ),
)  # fmt: skip
async def settle_call(
    asked: Annotated[SettleRequest, Depends(_asked)], services: ServicesDep
) -> Settlement:
    """Settle a call that nobody wants any more: it has taken effect, or it never will."""
    return await services.settler.settle(asked)
