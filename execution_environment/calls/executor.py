"""Runs one tool call: checks, the tool in a thread, then its change under the workspace's lock."""

from common.errors import AgenticError
from common.tools import ToolCall, ToolResult
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.recording import failures_recorded
from execution_environment.calls.registry import Registry
from execution_environment.calls.workspace_factory import WorkspaceFactory, require_access
from execution_environment.ledger.ledger import Ledger
from execution_environment.threads import ThreadPool
from execution_environment.toolkit.tool import Arguments, Tool
from execution_environment.transactions.coordinator import Coordinator
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

    async def run(self, call: ToolCall) -> ToolResult:
        """Run a call and return its result; raise its error with the tool and path named."""
        async with failures_recorded(self._audit, call) as started:
            try:
                tool = self._registry.get(call.tool)
                arguments = tool.parse(call.arguments)
                require_access(tool.spec.effect, call.context)
                return await self._perform(tool, arguments, call, started)
            except AgenticError as failure:
                failure.add_context(tool=call.tool, path=_path_of(call))
                raise

    async def _perform(
        self, tool: Tool, arguments: Arguments, call: ToolCall, started: float
    ) -> ToolResult:
        user, deadline = call.context.user_id, started + call.context.timeout
        transaction, result = await self._threads.run_for(
            user, deadline, self._begin, tool, arguments, call, started
        )
        return await self._coordinator.commit(transaction) if result is None else result

    def _begin(
        self, tool: Tool, arguments: Arguments, call: ToolCall, started: float
    ) -> tuple[Transaction, ToolResult | None]:
        """Stage a change; make a read or a dry run, and return its result."""
        workspace = self._workspaces.open(call.context, started, dry_run=call.dry_run)
        transaction = Transaction(
            call, workspace, tool.bound_to(arguments), needs_lock=arguments.measures_trees
        )
        if tool.spec.effect != "read" and not call.dry_run:
            return transaction, self._coordinator.begin(transaction)
        if not call.dry_run:
            self._ledger.admit(transaction.key)
        transaction.stage()
        result = transaction.result()
        self._audit.append(transaction.audit_entry(result))
        return transaction, result


def _path_of(call: ToolCall) -> str | None:
    path = call.arguments.get("path", call.arguments.get("source"))
    return path if isinstance(path, str) else None
