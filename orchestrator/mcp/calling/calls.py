"""A client's call of a tool: judged by rules, asked for, made once, noted in the user's session."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
from mcp_types import InputRequiredResult

from common.approvals.reviews import Policy, Preview
from common.context import Access, ExecutionContext
from common.errors import AgenticError, ClientError, ToolError, from_problem
from common.sessions import Session
from common.tools import ToolResult, Tools, did_you_mean
from orchestrator.approvals.dry_running import dry_runs
from orchestrator.approvals.judging import Judge
from orchestrator.approvals.previewing import Change, Previewer
from orchestrator.mcp.calling.asking import Asked, question
from orchestrator.mcp.calling.call import Request
from orchestrator.mcp.calling.making import Gone, made
from orchestrator.mcp.sessions import Sessions
from orchestrator.routes.dependencies import Services
from orchestrator.store.events import DirectCall

_POLICIES: Mapping[Policy, Policy] = {"plan": "writes"}
"""A call that belongs to no plan asks where a plan's would have, one at a time."""
MOST_GIVEN_UP = 100
"""How often clients may go before a call of one key has happened."""


@dataclass(frozen=True)
class _Terms:
    """How calls are judged that no run makes."""

    approval: Policy
    access: Access = "read_write"


class Calls:
    """Makes the calls of MCP clients."""

    def __init__(
        self, services: Services, sessions: Sessions, ending: asyncio.Event | None = None
    ) -> None:
        """`ending` is set when the process ends."""
        self._services = services
        self._sessions = sessions
        self._ending = ending or asyncio.Event()
        self._terms = _Terms(_POLICIES.get(services.approval, services.approval))

    async def call(self, request: Request) -> ToolResult | InputRequiredResult:
        """Return what came of a call, or what its user has to be asked first; raise its error.

        Of a client that goes meanwhile it has happened by then, or it never will.
        """
        session = await self._sessions.of(request.caller.user_id, request.caller.workspace)
        try:
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
        asks = await self._asks(request, session)
        if request.answer is not None:
            request.answer.require_approval(request.tool)
        elif asks:
            return await self._question(request, context)
        try:
            return await self._made(request, session, context)
        except ToolError as refusal:
            if refusal.code != "changed_since_preview":
                raise
        return await self._question(request, context)

    async def _asks(self, request: Request, session: Session) -> bool:
        """Tell whether a person has to be asked; raise `denied_by_rule`, or `tool_not_found`."""
        tools = await self._services.catalogue.tools()
        _require_tool(request.tool, tools)
        layers = await self._services.store.rules.for_run(session.id, session.user_id)
        judge = Judge(self._terms, layers, tools)
        if judge.is_open:
            return False
        call = request.judged(tools[request.tool])
        judgement = await asyncio.to_thread(judge.of, call, request.arguments, is_first=False)
        if judgement.answer == "deny":
            raise from_problem(judgement.denial(request.caller.origin.request_id))
        return judgement.answer == "ask"

    async def _question(self, request: Request, context: ExecutionContext) -> InputRequiredResult:
        """Return what asks the client's user; raise `approval_required` where it cannot."""
        if not request.caller.can_be_asked:
            raise ToolError(
                "approval_required",
                "A person has to approve of this call, and this client cannot ask one",
                tool=request.tool,
            )
        tools = await self._services.catalogue.tools()
        preview, expected = Preview(), None
        if tools[request.tool].effect != "read":
            preview = await self._preview(request, context)
            expected = preview.receipts  # none is as much of an answer: then nothing may change
        return question(
            Asked(id=request.id, expected=expected),
            request.caller.workspace,
            request.tool,
            request.arguments,
            preview,
        )

    async def _preview(self, request: Request, context: ExecutionContext) -> Preview:
        """Return what the call would do; raise its error where it could not be made."""
        dry_run = dry_runs(
            self._services.upstream.calls, context, request.caller.origin.traceparent
        )
        change = Change(1, request.tool, request.arguments, (), None)
        seen = await Previewer(dry_run, context.request_id).previews([change])
        preview = seen[1].preview
        if preview.error is not None:
            raise from_problem(preview.error)
        return preview

    async def _made(
        self, request: Request, session: Session, context: ExecutionContext
    ) -> ToolResult:
        """Make the call, and note what it did, for a client that has gone as well."""
        try:
            result = await self._unless_given_up(request, context)
        except Gone as gone:
            if gone.result is not None:
                with anyio.CancelScope(shield=True):
                    await self._sessions.note(session, DirectCall.made(gone.result))
            raise
        if not result.replayed:
            await self._sessions.note(session, DirectCall.made(result))
        return result

    async def _unless_given_up(self, request: Request, context: ExecutionContext) -> ToolResult:
        """Make the call, or make it anew where an earlier client of the same key has gone.

        That one's was given up, and never takes effect: whoever comes after gives up none but this one's.
        """
        executor, traceparent = self._services.upstream.calls, request.caller.origin.traceparent
        for k in range(1, MOST_GIVEN_UP + 1):
            try:
                return await made(executor, request.sent(context, k), traceparent, self._ending)
            except ClientError as refusal:
                if refusal.code != "call_expired":
                    raise
                given_up = refusal
        raise given_up


def _require_tool(tool: str, tools: Tools) -> None:
    if tool not in tools:
        hint = did_you_mean(tool, tools) or f"There are {', '.join(sorted(tools))}."
        raise ToolError("tool_not_found", "There is no such tool", hint=hint)
