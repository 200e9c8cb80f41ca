"""DELETE of a call: its result when it has happened, or a tombstone, so that it never will."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from common.audit import SETTLE
from common.context import ExecutionContext
from common.errors import Problem, SystemFault, from_problem
from common.tools import Settlement, ToolResult
from execution_environment.audit.records import arguments_digest, milliseconds_since, outcome_of
from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.records import CallKey, StoredCall
from execution_environment.threads import ThreadPool
from execution_environment.transactions.locks import WorkspaceLocks
from execution_environment.transactions.recovery import Recovery

PATIENCE = 4.0
"""Seconds to wait for the workspace, for a call whose change may still be under way."""


@dataclass(frozen=True)
class SettleRequest:
    """Which call is to be settled, and who asks: with a fence, where a session is named."""

    id: str
    fence: int
    request_id: str
    context: ExecutionContext | None = None

    @property
    def key(self) -> CallKey:
        """The call as the ledger is asked for it; what it is does not matter."""
        session = None if self.context is None else self.context.session_id
        return CallKey(id=self.id, fingerprint="", workspace="", session=session, fence=self.fence)


class Settler:
    """Answers what became of a call, and keeps it so."""

    def __init__(
        self,
        ledger: Ledger,
        locks: WorkspaceLocks,
        recovery: Recovery,
        audit: AuditWriter,
        threads: ThreadPool,
    ) -> None:
        self._ledger = ledger
        self._locks = locks
        self._recovery = recovery
        self._audit = audit
        self._threads = threads

    async def settle(self, asked: SettleRequest) -> Settlement:
        """Return the call's result when it has taken effect; else see to it that it never does.

        Raises `call_expired` when that is no longer known, `fenced` when a newer owner of the
        session has been seen, `deadline_exceeded` when the change is under way for longer than
        anybody wants to wait.
        """
        started = time.monotonic()
        try:
            settlement = await self._settled(asked)
        except Exception as failure:
            await self._record(asked, started, outcome_of(failure))
            raise
        await self._record(asked, started, {"outcome": settlement.outcome, "code": None})
        return settlement

    async def _record(self, asked: SettleRequest, started: float, outcome: dict[str, Any]) -> None:
        entry = _entry(asked, started, outcome)
        await asyncio.to_thread(self._audit.append, entry)

    async def _settled(self, asked: SettleRequest) -> Settlement:
        stored = await self._threads.run_admitted(self._tombstone, asked.key)
        if stored is not None and stored.result is not None:
            stored = await self._when_carried_out(asked, stored.workspace)
        if stored is not None and stored.failure is not None:
            raise from_problem(Problem.model_validate_json(stored.failure))
        if stored is None or stored.result is None:
            return Settlement(id=asked.id, outcome="not_executed")
        result = ToolResult.model_validate_json(stored.result)
        return Settlement(
            id=asked.id, outcome="executed", result=result.model_copy(update={"replayed": True})
        )

    def _tombstone(self, key: CallKey) -> StoredCall | None:
        self._ledger.admit(key.session, key.fence)
        return self._ledger.tombstone(key)

    async def _when_carried_out(self, asked: SettleRequest, workspace: str) -> StoredCall | None:
        """Wait until the change can be seen; recovery may find that it never will be."""
        in_thread, recover = self._threads.run_admitted, partial(self._recovery.recover, workspace)
        try:
            deadline = time.monotonic() + PATIENCE
            await self._locks.exclusively(workspace, deadline, in_thread, recover)
        except SystemFault as late:
            if late.code != "deadline_exceeded":
                raise
            detail = "The call has happened; whether its change can be seen yet is not known"
            raise SystemFault("deadline_exceeded", detail, outcome="unknown") from late
        return await self._threads.run_admitted(self._ledger.tombstone, asked.key)


def _entry(asked: SettleRequest, started: float, outcome: dict[str, Any]) -> dict[str, Any]:
    context = asked.context
    return {
        "id": asked.id,
        "fence": asked.fence,
        "tool": SETTLE,
        "arguments_sha256": arguments_digest({"id": asked.id}),
        "context": (
            {"request_id": asked.request_id} if context is None else context.model_dump(mode="json")
        ),
        **outcome,
        "duration_ms": milliseconds_since(started),
    }
