"""Settles a call that nobody wants any more: it has happened, or it never will."""

import time

from common.errors import Problem, from_problem
from common.tools import Settlement, ToolResult
from execution_environment.completer import Completer
from execution_environment.pool import Pool
from execution_environment.state.claims import Abandoned
from execution_environment.state.ledger import Ledger
from execution_environment.state.locks import WorkspaceLocks

PATIENCE = 4.0
"""Seconds to wait for the workspace, for a call whose change may still be under way."""


class Settler:
    """Answers what became of a call, and keeps it so."""

    def __init__(
        self, ledger: Ledger, locks: WorkspaceLocks, completer: Completer, pool: Pool
    ) -> None:
        self._ledger = ledger
        self._locks = locks
        self._completer = completer
        self._pool = pool

    async def settle(self, call_id: str) -> Settlement:
        """Return the call's result when it has taken effect; else see to it that it never does.

        Raises `call_expired` when that is no longer known, `deadline_exceeded` when the change
        is under way for longer than anybody wants to wait.
        """
        found = await self._pool.finish(lambda: self._ledger.abandon(call_id))
        if found.result is not None:
            found = await self._carried_out(call_id, found.workspace)
        if found.failure is not None:
            raise from_problem(Problem.model_validate_json(found.failure))
        if found.result is None:
            return Settlement(id=call_id, outcome="not_executed")
        result = ToolResult.model_validate_json(found.result)
        return Settlement(
            id=call_id, outcome="executed", result=result.model_copy(update={"replayed": True})
        )

    async def _carried_out(self, call_id: str, workspace: str) -> Abandoned:
        async with self._locks.held(workspace, time.monotonic() + PATIENCE):
            await self._pool.finish(lambda: self._completer.complete(workspace))
        return await self._pool.finish(lambda: self._ledger.abandon(call_id))
