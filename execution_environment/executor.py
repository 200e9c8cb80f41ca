"""Runs one tool call: checks, the tool in a thread, then its changes under the workspace's lock."""

import time
from dataclasses import dataclass
from typing import Any

from common.context import ExecutionContext
from common.errors import AgenticError, ToolError
from common.tools import ToolCall, ToolResult
from execution_environment.pool import Pool
from execution_environment.registry import Registry
from execution_environment.sandbox.bounds import Bounds
from execution_environment.sandbox.changes import Stale
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.sandbox.workspace import Workspace
from execution_environment.state.locks import WorkspaceLocks
from execution_environment.tool import Arguments, Output, Tool


@dataclass(frozen=True)
class Maxima:
    """What the service allows, in bytes; a call's own limits may only narrow it."""

    read: int
    write: int


class Executor:
    """Has no state of its own: what happened to a workspace is on the disk."""

    def __init__(
        self,
        registry: Registry,
        sandbox: Sandbox,
        locks: WorkspaceLocks,
        pool: Pool,
        maxima: Maxima,
    ) -> None:
        self._registry = registry
        self._sandbox = sandbox
        self._locks = locks
        self._pool = pool
        self._maxima = maxima

    async def run(self, call: ToolCall) -> ToolResult:
        """Run a call and return its result; raise its error with the tool and path named."""
        started = time.monotonic()
        tool = self._registry.get(call.tool)
        try:
            arguments = tool.parse(call.arguments)
            _require_access(tool, call.context)
            output, receipts = await self._perform(tool, arguments, call, started)
        except AgenticError as error:
            error.add_context(tool=call.tool, path=_path_of(call))
            raise
        return ToolResult(
            id=call.id,
            tool=call.tool,
            output=output.model_dump(mode="json"),
            receipts=receipts,
            duration_ms=round((time.monotonic() - started) * 1000, 3),
        )

    async def _perform(
        self, tool: Tool, arguments: Arguments, call: ToolCall, started: float
    ) -> tuple[Output, list[Any]]:
        bounds = self._bounds(call.context, started)
        root = call.context.allowed_paths_root
        workspace = self._sandbox.workspace(root, bounds, dry_run=call.dry_run)
        output = await self._pool.run(lambda: _stage(tool, arguments, workspace))
        if not workspace.changes:
            return output, workspace.receipts
        try:
            async with self._locks.held(root, bounds.deadline):
                output = await self._pool.run(lambda: _commit(tool, arguments, workspace, output))
        finally:
            if workspace.changes:
                await self._pool.run(workspace.discard)
        return output, workspace.receipts

    def _bounds(self, context: ExecutionContext, started: float) -> Bounds:
        limits = context.limits
        return Bounds(
            max_read=min(limits.max_read_bytes or self._maxima.read, self._maxima.read),
            max_write=min(limits.max_write_bytes or self._maxima.write, self._maxima.write),
            deadline=started + context.timeout,
            stopping=self._pool.stopping,
        )


def _stage(tool: Tool, arguments: Arguments, workspace: Workspace) -> Output:
    """Run the tool, which stages its changes; leave nothing staged when it fails."""
    workspace.bounds.check_deadline()
    try:
        return tool.function(arguments, workspace)
    except BaseException:
        workspace.discard()
        raise


def _commit(tool: Tool, arguments: Arguments, workspace: Workspace, output: Output) -> Output:
    """Put the changes in place, made anew first if somebody else was quicker.

    Called under the workspace's lock, so nobody else can be quicker twice.
    """
    try:
        workspace.check()
    except Stale:
        workspace.discard()
        output = _stage(tool, arguments, workspace)
    workspace.bounds.check_deadline()
    workspace.commit()
    return output


def _require_access(tool: Tool, context: ExecutionContext) -> None:
    if tool.spec.effect != "read" and context.access == "read_only":
        raise ToolError("permission_denied", "This call may only read", errno="EROFS")


def _path_of(call: ToolCall) -> str | None:
    path = call.arguments.get("path")
    return path if isinstance(path, str) else None
