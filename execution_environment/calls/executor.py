"""Runs one tool call: checks it, runs the tool in a thread, has its change committed."""

import time
from functools import partial

from common.errors import AgenticError, ClientError
from common.tools import ToolCall, ToolResult
from execution_environment.audit.records import (
    EXECUTED,
    arguments_digest,
    entry_of,
    milliseconds_since,
)
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.recording import failures_recorded
from execution_environment.calls.registry import Registry
from execution_environment.calls.workspace_factory import WorkspaceFactory, require_access
from execution_environment.ledger.ledger import Ledger
from execution_environment.threads import ThreadPool
from execution_environment.toolkit.tool import Arguments, Tool
from execution_environment.transactions.coordinator import Coordinator, Staged
from execution_environment.transactions.transaction import Transaction


class Executor:
    """Has no state of its own: what happened to a workspace is on the disk."""

    def __init__(
        self,
        registry: Registry,
        workspaces: WorkspaceFactory,
        coordinator: Coordinator,
        ledger: Ledger,
        audit: AuditWriter,
        threads: ThreadPool,
    ) -> None:
        self._registry = registry
        self._workspaces = workspaces
        self._coordinator = coordinator
        self._ledger = ledger
        self._audit = audit
        self._threads = threads

    async def run(self, call: ToolCall, *, only_reads: bool = False) -> ToolResult:
        """Run a call and return its result; raise its error with the tool and path named.

        `only_reads`: raise `invalid_request` for a tool that does more, and run nothing of it.
        """
        async with failures_recorded(self._audit, call) as started:
            try:
                tool = self._registry.get(call.tool)
                if only_reads:
                    _require_read(tool)
                arguments = tool.parse(call.arguments)
                require_access(tool.effect, call.context, dry_run=call.dry_run)
                return await self._perform(tool, arguments, call, started)
            except AgenticError as failure:
                failure.add_context(tool=call.tool, path=_path_of(call))
                raise

    async def _perform(
        self, tool: Tool, arguments: Arguments, call: ToolCall, started: float
    ) -> ToolResult:
        deadline = started + call.context.timeout
        asked = (tool, arguments, call, started)
        if tool.effect == "read":
            user = call.context.user_id
            return await self._threads.run_for(user, deadline, self._read, *asked)
        return await self._coordinator.perform(call, deadline, self._stage, *asked)

    def _stage(self, tool: Tool, arguments: Arguments, call: ToolCall, started: float) -> Staged:
        """Stage a change, which is to be committed; make a dry run, and return its result.

        That of a call that has been made is what the call itself would be answered.
        """
        is_pinned = call.expected is not None
        workspace = self._workspaces.open(
            call.context, started, dry_run=call.dry_run, hashes_trees=is_pinned or call.dry_run
        )
        operation = partial(tool.run, arguments)
        # What is expected is compared while no other call changes the workspace: a directory's own
        # identity stays as it was when something in it changes.
        needs_lock = is_pinned or arguments.measures_trees
        transaction = Transaction(call, workspace, operation, needs_lock=needs_lock)
        if not call.dry_run:
            return self._coordinator.stage(transaction)
        result = self._ledger.find(transaction.key)
        if result is None:
            transaction.stage()
            result = transaction.result()
        self._audit.append(transaction.audit_entry(result))
        return result

    def _read(self, tool: Tool, arguments: Arguments, call: ToolCall, started: float) -> ToolResult:
        """Return a read's result; the same call again reads again, so that nothing of it is kept."""
        in_thread_since = time.monotonic()
        reader = self._workspaces.open_reader(call.context, started)
        if not call.dry_run:
            self._ledger.admit(call.context.session_id, call.fence)
        reader.limits.check_deadline()
        result = ToolResult(
            id=call.id,
            tool=call.tool,
            output=tool.run(arguments, reader),
            receipts=[],
            duration_ms=milliseconds_since(in_thread_since),
        )
        digest, duration = arguments_digest(call.arguments), result.duration_ms
        self._audit.append(entry_of(call, digest, EXECUTED, duration_ms=duration))
        return result


def _require_read(tool: Tool) -> None:
    if tool.effect != "read":
        raise ClientError(
            "invalid_request",
            f"'{tool.name}' changes files, and the calls of a batch only read",
            hint="Make this call by itself: POST /v1/tool-calls.",
        )


def _path_of(call: ToolCall) -> str | None:
    path = call.arguments.get("path", call.arguments.get("source"))
    return path if isinstance(path, str) else None
