"""The workspace's tools as MCP lists them."""

from mcp_types import PaginatedRequestParams, Tool, ToolAnnotations

from common.errors import ClientError
from common.tools import Tools, ToolSpec
from orchestrator.planners.llm.schema import for_model


def listed(tools: Tools) -> list[Tool]:
    """Return the tools by name, each with what its effect means."""
    return [_tool(tools[name]) for name in sorted(tools)]


def require_no_cursor(params: PaginatedRequestParams | None) -> None:
    """Raise `invalid_request` for another page than the first, where there is no other."""
    if params is not None and params.cursor is not None:
        raise ClientError("invalid_request", "There is one page, and no cursor of another")


def _tool(spec: ToolSpec) -> Tool:
    return Tool(
        name=spec.name,
        description=" ".join(spec.description.split()),
        input_schema=for_model(spec.arguments_schema),
        output_schema=spec.output_schema,
        annotations=hints(spec.effect == "read", is_destructive=spec.effect == "destructive"),
    )


def hints(is_read: bool, *, is_destructive: bool = False) -> ToolAnnotations:
    """Return what clients are told of a tool's effect. The same read again is no other."""
    return ToolAnnotations(
        read_only_hint=is_read,
        destructive_hint=is_destructive,
        idempotent_hint=is_read,
        open_world_hint=False,
    )
