"""Who asks for which file: what a download and an upload have in common."""

from dataclasses import dataclass

from pydantic import JsonValue

from common.context import ExecutionContext
from common.tools import ToolCall


@dataclass(frozen=True)
class FileRequest:
    """Which file is asked for: by whom, in which workspace, under which id."""

    id: str
    fence: int
    path: str
    context: ExecutionContext

    def call(self, tool: str, **more: JsonValue) -> ToolCall:
        """Return the call that it amounts to, for the ledger and the audit trail."""
        return ToolCall(
            id=self.id,
            fence=self.fence,
            tool=tool,
            arguments={"path": self.path, **more},
            context=self.context,
        )
