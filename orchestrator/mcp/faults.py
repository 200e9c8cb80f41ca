"""What fails: of a tool's call as its result, of all else as the protocol's error, with all that is known."""

from collections.abc import Awaitable, Callable

from mcp.server.context import CallNext, HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, InputRequiredResult
from pydantic import ValidationError

from common.errors import AgenticError, ClientError, SystemFault, fields_of, told_of_fields
from common.logs import get_logger
from orchestrator.mcp.callers import Context
from orchestrator.mcp.results import failed

log = get_logger(__name__)


async def told_as_error(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Answer a request; raise every failure as an error of the protocol, and tell nobody of our insides."""
    try:
        return await call_next(ctx)
    except MCPError:  # the library's own
        raise
    except ValidationError as error:  # the library's, too, of what was sent
        fields = fields_of(error)
        refusal = ClientError(
            "invalid_request", told_of_fields(fields, "the request"), fields=fields
        )
        raise _error(refusal, noted(refusal, ctx)) from error
    except AgenticError as failure:
        raise _error(failure, noted(failure, ctx)) from failure
    except Exception as bug:
        fault = SystemFault("internal", "Something went wrong inside the service")
        log.exception("unforeseen error in a request over MCP", method=ctx.method)
        raise _error(fault, noted(fault, ctx)) from bug


async def told_as_result(
    context: Context, called: Callable[[], Awaitable[CallToolResult | InputRequiredResult]]
) -> CallToolResult | InputRequiredResult:
    """Return what a call answers, its error included: models are shown results only."""
    try:
        return await called()
    except AgenticError as failure:
        return failed(failure, noted(failure, context))


def noted(failure: AgenticError, context: Context) -> str:
    """Log a fault that the client has not caused; return the request's id."""
    if isinstance(failure, SystemFault):
        log.warning("request over MCP failed", code=failure.code, detail=failure.detail)
    return "" if context.request is None else str(context.request.state.request_id)


def _error(failure: AgenticError, request_id: str) -> MCPError:
    problem = failure.problem("orchestrator", request_id)
    code = INTERNAL_ERROR if isinstance(failure, SystemFault) else INVALID_PARAMS
    return MCPError(code, f"{failure.code}: {failure.detail}", problem.model_dump(mode="json"))
