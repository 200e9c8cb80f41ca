"""One call as a client asks for it, and as it is sent."""

import hashlib
import secrets
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from common.context import ExecutionContext
from common.plans import TurnCall
from common.sessions import Session
from common.tools import ToolCall, ToolSpec
from orchestrator.approvals.dry_running import UNFENCED
from orchestrator.mcp.callers import Caller
from orchestrator.mcp.calling.asking import Answer

Arguments = dict[str, JsonValue]


@dataclass(frozen=True)
class Request:
    """What a client asks for; the same again, with the same key, is the same call."""

    caller: Caller
    tool: str
    arguments: Arguments
    key: str | None = None
    answer: Answer | None = None

    @cached_property
    def id(self) -> str:
        """The call's id: that of what a person was asked, else the key's, else a fresh one.

        Whose key it is belongs to it: no other user's call, and none in another workspace, has the id.
        """
        if self.answer is not None:
            return self.answer.asked.id
        if self.key is None:
            return f"mcp:{secrets.token_hex(16)}"
        whose = f"{self.caller.user_id}/{self.caller.workspace}/{self.key}"
        return f"mcp:{hashlib.sha256(whose.encode()).hexdigest()[:32]}"

    def context(self, session: Session, timeout: float) -> ExecutionContext:
        """Return in whose name it is made; it has `timeout` seconds."""
        return ExecutionContext(
            request_id=self.caller.origin.request_id,
            session_id=session.id,
            user_id=session.user_id,
            request_source=self.caller.origin.source,
            allowed_paths_root=f"{session.user_id}/{session.workspace}",
            timeout=timeout,
        )

    def judged(self, spec: ToolSpec) -> TurnCall:
        """Return it as rules and policies judge the calls of runs."""
        return TurnCall(
            n=1, name="call", tool=self.tool, arguments=self.arguments, effect=spec.effect
        )

    def sent(self, context: ExecutionContext, k: int) -> ToolCall:
        """Return it as it is sent for the `k`-th time, once those before were given up.

        It is fenced by no owner of a run, for it belongs to none.
        """
        return ToolCall(
            id=f"{self.id}:{k}",
            fence=UNFENCED,
            tool=self.tool,
            arguments=self.arguments,
            context=context,
            expected=None if self.answer is None else self.answer.asked.expected or None,
        )
