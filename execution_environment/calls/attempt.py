"""One attempt at a tool call."""

from typing import Any

from common.tools import ToolCall
from execution_environment.ledger.records import Usage
from execution_environment.toolkit.tool import Arguments, Tool
from execution_environment.transactions.transaction import Draft
from execution_environment.workspace.entry_mover import Workspace


class Attempt(Draft):
    """Runs the tool, which reads, and stages what it changes."""

    def __init__(
        self, call: ToolCall, tool: Tool, arguments: Arguments, workspace: Workspace, quota: Usage
    ) -> None:
        super().__init__(call, workspace, quota)
        self.is_change = tool.spec.effect != "read" and not call.dry_run
        self._tool = tool
        self._arguments = arguments

    @property
    def needs_lock(self) -> bool:
        """Whether the tool measures what other calls may add to."""
        return self._arguments.measures_trees

    def _make(self) -> dict[str, Any]:
        output = self._tool.function(self._arguments, self.workspace)
        return output.model_dump(mode="json")
