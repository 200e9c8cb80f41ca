"""A client's call of a tool: judged by rules, asked for, made once, noted in the user's session."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio
from mcp_types import InputRequiredResult

from common.approvals.reviews import Preview
from common.context import ExecutionContext
from common.errors import AgenticError, ClientError, SystemFault, ToolError
from common.sessions import Session
from common.tools import Receipt, ToolResult
from orchestrator.approvals.dry_running import dry_run_of
from orchestrator.approvals.previewing import preview_of
from orchestrator.mcp.calling.asking import Asked, question
from orchestrator.mcp.calling.call import Request
from orchestrator.mcp.calling.making import Gone, made
from orchestrator.mcp.calling.verdicts import Verdicts
from orchestrator.mcp.sessions import Sessions
from orchestrator.routes.dependencies import Services
from orchestrator.store.events import DirectCall

MOST_GIVEN_UP = 100
"""How often clients may go before a call of one key has happened."""


class Calls:
    """Makes the calls of MCP clients."""

    def __init__(
        self, services: Services, sessions: Sessions, ending: asyncio.Event | None = None
    ) -> None:
        """`ending` is set when the process ends."""
        self._services = services
        self._sessions = sessions
        self._ending = ending or asyncio.Event()
        self._verdicts = Verdicts(services)

    async def call(self, request: Request) -> ToolResult | InputRequiredResult:
        """Return what came of a call, or what its user has to be asked first; raise its error.

        Of a client that goes meanwhile it has happened by then, or it never will.
        """
        with _nothing_ruled_out(request):
            session = await self._sessions.of(request.caller.user_id, request.caller.workspace)
        try:
            with _nothing_ruled_out(request):
                return await self._answered(request, session)
        except AgenticError as failure:
            problem = failure.problem("orchestrator", request.caller.origin.request_id)
            call = DirectCall(id=request.id, tool=request.tool, error=problem)
            await self._sessions.note(session, call)
            raise

    async def _answered(
        self, request: Request, session: Session
    ) -> ToolResult | InputRequiredResult:
        context = request.context(session, self._services.call_timeout.total_seconds())
        verdict = await self._verdicts.of(request, session)
        if isinstance(verdict, AgenticError):
            return await self._made_before(request, session, context, verdict)
        if verdict == "ask":
            return await self._asked(request, session, context)
        try:
            return await self._made(request, session, context)
        except ToolError as refusal:
            if refusal.code != "changed_since_preview":
                raise
        return await self._asked(request, session, context)

    async def _made_before(
        self, request: Request, session: Session, context: ExecutionContext, refusal: AgenticError
    ) -> ToolResult:
        """Return the result of a call that was made before it came to be refused; raise the refusal."""
        if not request.is_new:
            try:
                seen = await self._dry_run(request, context)
            except (ToolError, ClientError):  # it has not been made, whatever else is wrong with it
                seen = None
            if seen is not None and seen.replayed:
                return await self._made(request, session, context, expected=[])
        raise refusal

    async def _asked(
        self, request: Request, session: Session, context: ExecutionContext
    ) -> ToolResult | InputRequiredResult:
        """Return what asks the client's user; of a call that has been made, its result."""
        seen = await self._dry_run(request, context)
        if seen is not None and seen.replayed:
            return await self._made(request, session, context, expected=[])
        preview = Preview() if seen is None else preview_of(seen)
        return question(
            Asked(id=request.id, expected=None if seen is None else seen.receipts),
            request.caller.workspace,
            request.tool,
            request.arguments,
            preview,
        )

    async def _dry_run(self, request: Request, context: ExecutionContext) -> ToolResult | None:
        """Return what the call would do, or has done; None for a read, of which nothing is kept."""
        tools = await self._services.catalogue.tools()
        if tools[request.tool].effect == "read":
            return None
        executor, traceparent = self._services.upstream.calls, request.caller.origin.traceparent
        return await _unless_given_up(
            lambda k: dry_run_of(executor, request.sent(context, k), traceparent)
        )

    async def _made(
        self,
        request: Request,
        session: Session,
        context: ExecutionContext,
        expected: list[Receipt] | None = None,
    ) -> ToolResult:
        """Make the call, and note what it did, for a client that has gone as well.

        `expected`: none, of one that has been made, so that it is not made again should its result be
        forgotten by now.
        """
        executor, traceparent = self._services.upstream.calls, request.caller.origin.traceparent
        try:
            result = await _unless_given_up(
                lambda k: made(
                    executor, request.sent(context, k, expected), traceparent, self._ending
                )
            )
        except Gone as gone:
            if gone.result is not None:
                with anyio.CancelScope(shield=True):
                    await self._sessions.note(session, DirectCall.made(gone.result))
            raise
        if not result.replayed:
            await self._sessions.note(session, DirectCall.made(result))
        return result


@contextmanager
def _nothing_ruled_out(request: Request) -> Iterator[None]:
    """Let no fault on the way say that a call was not executed which may have been sent before.

    It speaks for this request alone, and the call may have happened by an earlier one.
    """
    try:
        yield
    except SystemFault as fault:
        if not request.is_new:
            fault.outcome = "unknown"
        raise


async def _unless_given_up(attempt: Callable[[int], Awaitable[ToolResult]]) -> ToolResult:
    """Attempt a call for the `k`-th time, once those before were given up by clients that have gone.

    Those never take effect: whoever comes after gives up none but this one's.
    """
    for k in range(1, MOST_GIVEN_UP + 1):
        try:
            return await attempt(k)
        except ClientError as refusal:
            if refusal.code != "call_expired":
                raise
            given_up = refusal
    raise given_up
