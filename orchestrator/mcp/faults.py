"""What is no answer to a call of a tool but fails: as the protocol's errors, with all that is known."""

from mcp.server.context import CallNext, HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from pydantic import ValidationError

from common.errors import AgenticError, SystemFault
from common.logs import get_logger
from orchestrator.mcp.callers import Context

log = get_logger(__name__)


async def told_as_error(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Answer a request; raise every failure as an error of the protocol, and tell nobody of our insides."""
    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):  # the library's own
        raise
    except AgenticError as failure:
        raise _error(failure, noted(failure, ctx)) from failure
    except Exception as bug:
        fault = SystemFault("internal", "Something went wrong inside the service")
        log.exception("unforeseen error in a request over MCP", method=ctx.method)
        raise _error(fault, noted(fault, ctx)) from bug


def noted(failure: AgenticError, context: Context) -> str:
    """Log a fault that the client has not caused; return the request's id."""
    if isinstance(failure, SystemFault):
        log.warning("request over MCP failed", code=failure.code, detail=failure.detail)
    return "" if context.request is None else str(context.request.state.request_id)


def _error(failure: AgenticError, request_id: str) -> MCPError:
    problem = failure.problem("orchestrator", request_id)
    code = INTERNAL_ERROR if isinstance(failure, SystemFault) else INVALID_PARAMS
    return MCPError(code, f"{failure.code}: {failure.detail}", problem.model_dump(mode="json"))
