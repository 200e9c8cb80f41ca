"""Workspaces as things of their own: which a user has, how large they are; and their end."""

import time
from datetime import UTC, datetime
from typing import Any

from common.errors import ClientError
from common.files.paths import parse
from common.files.workspaces import WorkspaceUsage
from common.models import Page
from common.tools import ToolCall, ToolResult
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.recording import failures_recorded
from execution_environment.calls.workspace_factory import WorkspaceFactory, require_access
from execution_environment.ledger.ledger import Ledger
from execution_environment.sandbox.descriptors import identity
from execution_environment.sandbox.homes import find_home, names_after
from execution_environment.sandbox.limits import CallLimits, Usage
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.threads import ThreadPool
from execution_environment.transactions.coordinator import Coordinator, Staged
from execution_environment.transactions.transaction import Transaction
from execution_environment.workspace.receipts import receipt_of_removal
from execution_environment.workspace.streams import modified_at
from execution_environment.workspace.workspace import Workspace

MEASURED_WITHIN = 60.0
"""Seconds that it may take to count what a workspace holds."""
PATIENCE = 2.0
"""Seconds after which a page ends with the workspaces that it has: each may have to be counted."""


class Workspaces:
    """What lies beneath a user's directory; a workspace is named `<user>/<workspace>`."""

    def __init__(
        self,
        sandbox: Sandbox,
        factory: WorkspaceFactory,
        coordinator: Coordinator,
        ledger: Ledger,
        audit: AuditWriter,
        threads: ThreadPool,
    ) -> None:
        self._sandbox = sandbox
        self._factory = factory
        self._coordinator = coordinator
        self._ledger = ledger
        self._audit = audit
        self._threads = threads

    async def list(self, user: str, limit: int, cursor: str | None) -> Page[WorkspaceUsage]:
        """Return a user's workspaces in order of their names; a page may end early."""
        deadline = time.monotonic() + MEASURED_WITHIN
        return await self._threads.run_for(user, deadline, self._list, user, limit, cursor or "")

    async def get(self, user: str, workspace: str) -> WorkspaceUsage:
        """Return one workspace; raise `workspace_not_found`."""
        deadline = time.monotonic() + MEASURED_WITHIN
        found = await self._threads.run_for(user, deadline, self._usage, f"{user}/{workspace}")
        if found is None:
            raise _not_found(workspace)
        return found

    async def delete(self, asked: FileRequest) -> ToolResult:
        """Remove a workspace with all that is in it, once; raise `workspace_not_found`."""
        call = asked.call("delete_workspace")
        async with failures_recorded(self._audit, call) as started:
            require_access("destructive", asked.context)
            deadline = started + asked.context.timeout
            result = await self._coordinator.perform(call, deadline, self._stage, call, started)
            if not result.replayed:
                root = asked.context.allowed_paths_root
                # An absent row is counted anew, whatever has come there since: this needs no lock.
                await self._threads.run_admitted(self._ledger.usage.drop, root)
            return result

    def _stage(self, call: ToolCall, started: float) -> Staged:
        workspace = self._factory.open(call.context, started)

        def remove(workspace: Workspace) -> dict[str, Any]:
            return self._remove(call.context.allowed_paths_root, workspace)

        return self._coordinator.stage(Transaction(call, workspace, remove, needs_lock=True))

    def _remove(self, root: str, workspace: Workspace) -> dict[str, Any]:
        """Plan to take a workspace out, as one rename of its directory."""
        home = find_home(self._sandbox.renamer.root, parse(root))
        if home is None:
            raise _not_found(root.partition("/")[2])
        gone = self._count(root, workspace.limits)
        workspace.change.take((), identity(home.status), None, None)
        workspace.change.meter.add(-gone.size, -gone.entries)
        workspace.change.add_receipts(receipt_of_removal(".", None))
        return {"deleted": gone.entries}

    def _list(self, user: str, limit: int, cursor: str) -> Page[WorkspaceUsage]:
        names = names_after(self._sandbox.renamer.root, user, cursor, limit + 1)
        items: list[WorkspaceUsage] = []
        until = time.monotonic() + PATIENCE
        for number, name in enumerate(names):
            if number == limit or (number > 0 and time.monotonic() > until):
                return Page(items=items, next_cursor=names[number - 1])
            usage = self._usage(f"{user}/{name}")
            items += [] if usage is None else [usage]
        return Page(items=items)

    def _usage(self, root: str) -> WorkspaceUsage | None:
        """Return how large a workspace is, None where there is none.

        It has changed with the last call that changed it, as far as the ledger remembers; from
        outside, when an entry at its top was made, replaced or removed.
        """
        home = find_home(self._sandbox.renamer.root, parse(root))
        if home is None:
            return None
        used = self._count(root, self._limits())
        modified, changed = modified_at(home.status), self._ledger.usage.changed_at(root)
        at = modified if changed is None else datetime.fromtimestamp(changed, UTC)
        return WorkspaceUsage(
            name=root.partition("/")[2],
            size=used.size,
            entries=used.entries,
            changed_at=max(at, modified),
            generation=home.generation,
        )

    def _count(self, root: str, limits: CallLimits) -> Usage:
        return self._ledger.usage.of(root) or self._sandbox.measure(root, limits)

    def _limits(self) -> CallLimits:
        deadline = time.monotonic() + MEASURED_WITHIN
        return CallLimits(0, 0, deadline, self._threads.stopping)


def _not_found(workspace: str) -> ClientError:
    return ClientError("workspace_not_found", f"There is no workspace '{workspace}'")
