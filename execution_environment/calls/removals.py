"""Single files, and empty directories, that go: once, and only in the state that the caller knows."""

import stat
from typing import Any

from starlette.datastructures import Headers

from common.tools import ToolCall, ToolResult
from common.web.conditions import Validators, require_match
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.recording import failures_recorded
from execution_environment.calls.workspace_factory import WorkspaceFactory, require_access
from execution_environment.transactions.coordinator import Coordinator, Staged
from execution_environment.transactions.transaction import Operation, Transaction
from execution_environment.workspace.streams import etag_of, modified_at
from execution_environment.workspace.workspace import Workspace


class Removals:
    """Removals, with the bounds, the audit and the once-only effects of tool calls."""

    def __init__(
        self, workspaces: WorkspaceFactory, coordinator: Coordinator, audit: AuditWriter
    ) -> None:
        self._workspaces = workspaces
        self._coordinator = coordinator
        self._audit = audit

    async def remove(self, asked: FileRequest, conditions: Headers) -> ToolResult:
        """Remove a file, a link itself or an empty directory, once."""
        call = asked.call("delete_file")
        async with failures_recorded(self._audit, call) as started:
            require_access("destructive", asked.context)
            deadline = started + asked.context.timeout
            operation = _removing(asked.path, conditions)
            return await self._coordinator.perform(
                call, deadline, self._stage, call, operation, started
            )

    def _stage(self, call: ToolCall, operation: Operation, started: float) -> Staged:
        workspace = self._workspaces.open(call.context, started)
        return self._coordinator.stage(Transaction(call, workspace, operation))


def _removing(path: str, conditions: Headers) -> Operation:
    """Return the operation that removes what is at a path.

    It checks the request's conditions against what is there, each time that it is staged.
    """

    def remove(workspace: Workspace) -> dict[str, Any]:
        status = workspace.reader.entry(path)
        require_match(conditions, Validators(etag_of(status), modified_at(status)))
        is_file = stat.S_ISREG(status.st_mode)
        before = workspace.reader.snapshot(path, 0) if is_file else None
        return {"deleted": workspace.entries.remove(path, before, recursive=False)}

    return remove
