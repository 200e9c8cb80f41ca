"""One call as a client asks for it, and as it is sent."""

import hashlib
import secrets
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from common.context import ExecutionContext
from common.errors import ClientError
from common.plans import TurnCall
from common.sessions import Session
from common.tools import Receipt, ToolCall, ToolSpec
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
        return f"mcp:{secrets.token_hex(16)}" if self.key is None else self._id_of(self.key)

    @property
    def is_new(self) -> bool:
        """Whether nothing that was sent before can have been this very call."""
        return self.key is None and self.answer is None

    def require_key_of_question(self) -> None:
        """Raise `invalid_request` for an answer under another key than what was asked.

        Whoever sends it counts on that key, and the call is not made under it.
        """
        if self.answer is None or self.key is None or self._id_of(self.key) == self.id:
            return
        raise ClientError(
            "invalid_request",
            "The answer has an idempotency key that what was asked did not have",
            hint="Ask with the key as well: send the call with it and without an answer.",
        )

    def _id_of(self, key: str) -> str:
        whose = f"{self.caller.user_id}/{self.caller.workspace}/{key}"
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

    def sent(
        self, context: ExecutionContext, k: int, expected: list[Receipt] | None = None
    ) -> ToolCall:
        """Return it as it is sent for the `k`-th time, once those before were given up.

        It is fenced by no owner of a run, for it belongs to none. `expected`: the receipts that it may
        have, where that is not what a person has seen.
        """
        if expected is None and self.answer is not None:
            expected = self.answer.asked.expected
        return ToolCall(
            id=f"{self.id}:{k}",
            fence=UNFENCED,
            tool=self.tool,
            arguments=self.arguments,
            context=context,
            expected=expected,
        )
