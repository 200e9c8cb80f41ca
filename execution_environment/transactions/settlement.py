"""Settles a call that nobody wants any more: it has happened, or it never will."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from common.audit import SETTLE
from common.context import ExecutionContext
from common.errors import AgenticError, Problem, from_problem
from common.tools import Settlement, ToolResult
from execution_environment.audit.writer import Audit
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.records import Abandoned, Claim, arguments_digest
from execution_environment.threads import Pool
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.recovery import Completer
from execution_environment.transactions.transaction import milliseconds_since

PATIENCE = 4.0
"""Seconds to wait for the workspace, for a call whose change may still be under way."""


@dataclass(frozen=True)
class Asked:
    """Which call is to be settled, and who asks: with a fence, where a session is named."""

    id: str
    fence: int
    request_id: str
    context: ExecutionContext | None = None

    @property
    def claim(self) -> Claim:
        """The id as the ledger is asked for it."""
        session = None if self.context is None else self.context.session_id
        return Claim(id=self.id, digest="", workspace="", session=session, fence=self.fence)


class Settler:
    """Answers what became of a call, and keeps it so."""

    def __init__(
        self, ledger: Ledger, locks: WorkspaceLocks, completer: Completer, audit: Audit, pool: Pool
    ) -> None:
        self._ledger = ledger
        self._locks = locks
        self._completer = completer
        self._audit = audit
        self._pool = pool

    async def settle(self, asked: Asked) -> Settlement:
        """Return the call's result when it has taken effect; else see to it that it never does.

        Raises `call_expired` when that is no longer known, `fenced` when a newer owner of the
        session has been seen, `deadline_exceeded` when the change is under way for longer than
        anybody wants to wait.
        """
        started = time.monotonic()
        try:
            settlement = await self._settled(asked)
        except Exception as failure:
            known = failure if isinstance(failure, AgenticError) else None
            outcome, code = (known.outcome, known.code) if known else ("unknown", "internal")
            await self._record(asked, started, outcome, code)
            raise
        await self._record(asked, started, settlement.outcome, None)
        return settlement

    async def _record(self, asked: Asked, started: float, outcome: str, code: str | None) -> None:
        record = _record(asked, started, outcome, code)
        await asyncio.to_thread(self._audit.append, record)

    async def _settled(self, asked: Asked) -> Settlement:
        found = await self._pool.finish(lambda: self._abandon(asked.claim))
        if found.result is not None:
            found = await self._carried_out(asked, found.workspace)
        if found.failure is not None:
            raise from_problem(Problem.model_validate_json(found.failure))
        if found.result is None:
            return Settlement(id=asked.id, outcome="not_executed")
        result = ToolResult.model_validate_json(found.result)
        return Settlement(
            id=asked.id, outcome="executed", result=result.model_copy(update={"replayed": True})
        )

    def _abandon(self, claim: Claim) -> Abandoned:
        self._ledger.admit(claim)
        return self._ledger.abandon(claim)

    async def _carried_out(self, asked: Asked, workspace: str) -> Abandoned:
        async with self._locks.held(workspace, time.monotonic() + PATIENCE):
            await self._pool.finish(lambda: self._completer.complete(workspace))
        return await self._pool.finish(lambda: self._ledger.abandon(asked.claim))


def _record(asked: Asked, started: float, outcome: str, code: str | None) -> dict[str, Any]:
    context = asked.context
    return {
        "id": asked.id,
        "fence": asked.fence,
        "tool": SETTLE,
        "arguments_sha256": arguments_digest({"id": asked.id}),
        "context": (
            {"request_id": asked.request_id} if context is None else context.model_dump(mode="json")
        ),
        "outcome": outcome,
        "code": code,
        "duration_ms": milliseconds_since(started),
    }
