"""Runs one tool call: checks, the tool in a thread, then its changes under the workspace's lock."""

import asyncio
import time

from common.context import ExecutionContext
from common.errors import AgenticError, ToolError
from common.tools import ToolCall, ToolResult
from execution_environment.audit.writer import Audit
from execution_environment.calls.attempt import Attempt
from execution_environment.calls.registry import Registry
from execution_environment.calls.workspace_factory import Workspaces
from execution_environment.ledger.ledger import Ledger
from execution_environment.threads import Pool
from execution_environment.toolkit.tool import Arguments, Tool
from execution_environment.transactions.coordinator import Changer
from execution_environment.transactions.transaction import record_of_failure


class Executor:
    """Has no state of its own: what happened to a workspace is on the disk."""

    def __init__(
        self,
        registry: Registry,
        workspaces: Workspaces,
        changer: Changer,
        ledger: Ledger,
        audit: Audit,
        pool: Pool,
    ) -> None:
        self._registry = registry
        self._workspaces = workspaces
        self._changer = changer
        self._ledger = ledger
        self._audit = audit
        self._pool = pool

    async def run(self, call: ToolCall) -> ToolResult:
        """Run a call and return its result; raise its error with the tool and path named."""
        started = time.monotonic()
        try:
            tool = self._registry.get(call.tool)
            arguments = tool.parse(call.arguments)
            _require_access(tool, call.context)
            return await self._perform(tool, arguments, call, started)
        except Exception as failure:
            if isinstance(failure, AgenticError):
                failure.add_context(tool=call.tool, path=_path_of(call))
            await asyncio.to_thread(self._note_failure, call, failure, started)
            raise

    def _note_failure(self, call: ToolCall, failure: Exception, started: float) -> None:
        self._audit.append(record_of_failure(call, failure, started))

    async def _perform(
        self, tool: Tool, arguments: Arguments, call: ToolCall, started: float
    ) -> ToolResult:
        context = call.context
        attempt, result = await self._pool.run_for(
            context.user_id,
            started + context.timeout,
            lambda: self._begin(tool, arguments, call, started),
        )
        return await self._changer.make(attempt) if result is None else result

    def _begin(
        self, tool: Tool, arguments: Arguments, call: ToolCall, started: float
    ) -> tuple[Attempt, ToolResult | None]:
        """Prepare a change; make a read or a dry run, and return its result."""
        workspace, quota = self._workspaces.open(call.context, started, dry_run=call.dry_run)
        attempt = Attempt(call, tool, arguments, workspace, quota)
        if attempt.is_change:
            return attempt, None
        if not call.dry_run:
            self._ledger.admit(attempt.claim)
        attempt.stage()
        result = attempt.result()
        self._audit.append(attempt.record(result))
        return attempt, result


def _require_access(tool: Tool, context: ExecutionContext) -> None:
    if tool.spec.effect != "read" and context.access == "read_only":
        raise ToolError("permission_denied", "This call may only read", errno="EROFS")


def _path_of(call: ToolCall) -> str | None:
    path = call.arguments.get("path", call.arguments.get("source"))
    return path if isinstance(path, str) else None
