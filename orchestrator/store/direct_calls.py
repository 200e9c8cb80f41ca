"""Calls of tools that no run makes: what is told of them in their session."""

from datetime import timedelta
from typing import Self

from common.errors import Problem
from common.models import Items, Lenient
from common.tools import Receipt, ToolResult
from orchestrator.store.backend import Backend, milliseconds

REPEATED_WITHIN = timedelta(minutes=1)
"""How long a call is known to be noted: a script is sent again while the store does not answer."""


class DirectCall(Lenient):
    """What came of a call, as the event `call.succeeded` or `call.failed` tells it."""

    id: str
    tool: str
    receipts: Items[Receipt] = []
    error: Problem | None = None
    duration_ms: float | None = None

    @classmethod
    def made(cls, result: ToolResult) -> Self:
        """Return what is told of a call that has happened; its output is the caller's own affair."""
        return cls(
            id=result.id,
            tool=result.tool,
            receipts=result.receipts,
            duration_ms=result.duration_ms,
        )


class DirectCallStore:
    """Notes calls in the event log of the session that they were made in."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def note(self, session_id: str, call: DirectCall) -> bool:
        """Note a call, and keep its session for another while; False where there is none any more."""
        [outcome] = await self._backend.script(
            "note_call",
            session_id,
            "",
            "call.succeeded" if call.error is None else "call.failed",
            call.model_dump_json(),
            milliseconds(REPEATED_WITHIN),
            more_keys=(self._backend.keys.noted(session_id, call.id),),
        )
        return bool(outcome == "noted")
