"""Runs one tool call: checks, the tool in a thread, then its changes under the workspace's lock."""

import asyncio
import time
from dataclasses import dataclass

from common.context import ExecutionContext
from common.errors import AgenticError, ToolError
from common.tools import ToolCall, ToolResult
from execution_environment.attempt import Attempt, record_of_failure
from execution_environment.committer import Committer
from execution_environment.pool import Pool
from execution_environment.registry import Registry
from execution_environment.sandbox.bounds import Bounds, Meter
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.sandbox.workspace import Workspace
from execution_environment.state.audit import Audit
from execution_environment.state.claims import Usage
from execution_environment.state.ledger import Ledger
from execution_environment.state.locks import WorkspaceLocks
from execution_environment.tool import Arguments, Tool


@dataclass(frozen=True)
class Maxima:
    """What the service allows; a call's own limits may only narrow it. Sizes in bytes."""

    read: int
    write: int
    quota: Usage


class Executor:
    """Has no state of its own: what happened to a workspace is on the disk."""

    def __init__(
        self,
        registry: Registry,
        sandbox: Sandbox,
        locks: WorkspaceLocks,
        ledger: Ledger,
        audit: Audit,
        committer: Committer,
        pool: Pool,
        maxima: Maxima,
    ) -> None:
        self._registry = registry
        self._sandbox = sandbox
        self._locks = locks
        self._ledger = ledger
        self._audit = audit
        self._committer = committer
        self._pool = pool
        self._maxima = maxima

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
        attempt, result = await self._pool.run(lambda: self._begin(tool, arguments, call, started))
        if result is not None:
            return result
        workspace = attempt.workspace
        try:
            async with self._locks.held(call.context.allowed_paths_root, workspace.bounds.deadline):
                return await self._pool.finish(lambda: self._committer.commit(attempt))
        finally:
            if workspace.changes.leftovers():
                self._pool.afterwards(workspace.sweep)

    def _begin(
        self, tool: Tool, arguments: Arguments, call: ToolCall, started: float
    ) -> tuple[Attempt, ToolResult | None]:
        """Stage the call's change; of a read, a dry run and a repetition return the result."""
        workspace, quota = self._workspace(call, started)
        attempt = Attempt(call, tool, arguments, workspace, quota)
        if not call.dry_run:
            self._ledger.admit(attempt.claim)
        if attempt.is_change:
            return attempt, self._repeated(attempt)
        attempt.stage()
        return attempt, self._on_record(attempt, attempt.result())

    def _repeated(self, attempt: Attempt) -> ToolResult | None:
        """Return the result of a call that was made before; stage one that was not."""
        stored = self._ledger.find(attempt.claim)
        if stored is None:
            attempt.stage()
        elif self._committer.is_in_place(attempt.claim):
            return self._on_record(attempt, stored)
        return None

    def _on_record(self, attempt: Attempt, result: ToolResult) -> ToolResult:
        self._audit.append(attempt.record(result))
        return result

    def _workspace(self, call: ToolCall, started: float) -> tuple[Workspace, Usage]:
        """Return the call's view of its workspace, and how large that may become."""
        context, maxima = call.context, self._maxima
        limits = context.limits
        quota = Usage(_least(limits.workspace_quota_bytes, maxima.quota.size), maxima.quota.entries)
        used = self._ledger.usage(context.allowed_paths_root) or Usage(0, 0)
        bounds = Bounds(
            max_read=_least(limits.max_read_bytes, maxima.read),
            max_write=_least(limits.max_write_bytes, maxima.write),
            deadline=started + context.timeout,
            stopping=self._pool.stopping,
            meter=Meter(quota.size - used.size, quota.entries - used.entries),
        )
        root = context.allowed_paths_root
        return self._sandbox.workspace(root, bounds, dry_run=call.dry_run), quota


def _least(asked: int | None, allowed: int) -> int:
    return allowed if asked is None else min(asked, allowed)


def _require_access(tool: Tool, context: ExecutionContext) -> None:
    if tool.spec.effect != "read" and context.access == "read_only":
        raise ToolError("permission_denied", "This call may only read", errno="EROFS")


def _path_of(call: ToolCall) -> str | None:
    path = call.arguments.get("path", call.arguments.get("source"))
    return path if isinstance(path, str) else None
