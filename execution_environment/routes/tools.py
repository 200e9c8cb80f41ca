"""Tools: what there is, and calls."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from common.tools import ToolCall, ToolResult, ToolSpec
from common.web.body import JsonRoute
from common.web.openapi import problems
from execution_environment.executor import Executor
from execution_environment.registry import Registry

router = APIRouter(prefix="/v1", tags=["tools"], route_class=JsonRoute)

_CALL_ERRORS = problems(
    "invalid_arguments", "path_not_allowed", "permission_denied", "path_not_found",
    "tool_not_found", "already_exists", "not_a_file", "not_a_directory", "hash_mismatch",
    "file_too_large", "output_too_large", "unsupported_file", "binary_file", "text_not_found",
    "text_not_unique", "invalid_pattern", "no_space", "malformed_request", "unauthenticated",
    "request_too_large", "unsupported_media_type", "invalid_request", "internal", "overloaded",
    "deadline_exceeded",
)  # fmt: skip


def _executor(request: Request) -> Executor:
    executor: Executor = request.app.state.executor
    return executor


def _registry(request: Request) -> Registry:
    registry: Registry = request.app.state.registry
    return registry


ExecutorDep = Annotated[Executor, Depends(_executor)]
RegistryDep = Annotated[Registry, Depends(_registry)]


@router.get("/tools", responses=problems("unauthenticated", "internal"))
async def list_tools(registry: RegistryDep) -> list[ToolSpec]:
    """Return every tool with the schemas of its arguments and its output."""
    return [tool.spec for tool in registry.all()]


@router.post("/tool-calls", responses=_CALL_ERRORS)
async def call_tool(call: ToolCall, executor: ExecutorDep) -> ToolResult:
    """Run one tool call."""
    return await executor.run(call)
