"""Whether a client's call is made, asked for, or refused: rules, the policy, and what a person has said."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from common.approvals.reviews import Policy
from common.context import Access
from common.errors import AgenticError, ToolError, from_problem
from common.sessions import Session
from common.tools import Tools, did_you_mean
from orchestrator.approvals.judging import Judge
from orchestrator.mcp.calling.call import Request
from orchestrator.routes.dependencies import Services

Verdict = Literal["make", "ask"] | AgenticError
"""What becomes of a call; an error is why it is not made."""
_POLICIES: Mapping[Policy, Policy] = {"plan": "writes"}
"""A call that belongs to no plan asks where a plan's would have, one at a time."""


@dataclass(frozen=True)
class _Terms:
    """How calls are judged that no run makes."""

    approval: Policy
    access: Access = "read_write"


class Verdicts:
    """Judges the calls of MCP clients."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._terms = _Terms(_POLICIES.get(services.approval, services.approval))

    async def of(self, request: Request, session: Session) -> Verdict:
        """Return what becomes of a call; raise `tool_not_found`, or that its answer has another key.

        A denial counts whatever a person has said: a rule may be newer than the answer.
        """
        request.require_key_of_question()
        judged, answer = await self._judged(request, session), request.answer
        is_said = answer is not None and answer.is_approved is not None
        if answer is not None and is_said and not isinstance(judged, AgenticError):
            return answer.refusal(request.tool) or "make"
        if judged == "ask" and not request.caller.can_be_asked:
            return ToolError(
                "approval_required",
                "A person has to approve of this call, and this client cannot ask one",
                tool=request.tool,
            )
        return judged

    async def _judged(self, request: Request, session: Session) -> Verdict:
        tools = await self._services.catalogue.tools()
        _require_tool(request.tool, tools)
        layers = await self._services.store.rules.for_run(session.id, session.user_id)
        judge = Judge(self._terms, layers, tools)
        if judge.is_open:
            return "make"
        call = request.judged(tools[request.tool])
        judgement = await asyncio.to_thread(judge.of, call, request.arguments, is_first=False)
        if judgement.answer == "deny":
            return from_problem(judgement.denial(request.caller.origin.request_id))
        return "ask" if judgement.answer == "ask" else "make"


def _require_tool(tool: str, tools: Tools) -> None:
    if tool not in tools:
        hint = did_you_mean(tool, tools) or f"There are {', '.join(sorted(tools))}."
        raise ToolError("tool_not_found", "There is no such tool", hint=hint)
