"""A call on its way: what it makes in its workspace, and what there is to say of it."""

import time
from abc import ABC, abstractmethod
from typing import Any

from common.errors import AgenticError
from common.tools import ToolCall, ToolResult
from execution_environment.ledger.records import Usage, arguments_digest, claim_of
from execution_environment.workspace.entry_mover import Workspace


class Draft(ABC):
    """Stages a change; the committer puts it in place. A tool call's, or an upload's."""

    def __init__(self, call: ToolCall, workspace: Workspace, quota: Usage) -> None:
        self.call = call
        self.workspace = workspace
        self.quota = quota
        self._started = time.monotonic()
        self._digest = arguments_digest(call.arguments)
        self._output: dict[str, Any] | None = None
        self.claim = claim_of(call.id, call.fence, call.tool, self._digest, call.context)

    @property
    def needs_lock(self) -> bool:
        """Whether it can be made only while no other call changes the workspace."""
        return False

    @property
    def is_staged(self) -> bool:
        """Whether it has been made: not when its id was found to have a result."""
        return self._output is not None

    def stage(self) -> None:
        """Make the change from what is there now; leave nothing staged when that fails."""
        self.workspace.bounds.check_deadline()
        try:
            self._output = self._make()
        except BaseException:
            self.workspace.discard()
            raise

    @abstractmethod
    def _make(self) -> dict[str, Any]:
        """Stage the change; return the output."""

    def result(self) -> ToolResult:
        """Return what to answer."""
        assert self._output is not None  # noqa: S101  # staged before
        return ToolResult(
            id=self.call.id,
            tool=self.call.tool,
            output=self._output,
            receipts=self.workspace.receipts(),
            duration_ms=milliseconds_since(self._started),
        )

    def record(self, result: ToolResult) -> dict[str, Any]:
        """Return the record of a call that was allowed."""
        return {
            **_facts(self.call, self._digest),
            "outcome": "executed",
            "code": None,
            "receipts": [receipt.model_dump(mode="json") for receipt in result.receipts],
            "replayed": result.replayed,
            "duration_ms": result.duration_ms,
        }


def record_of_failure(call: ToolCall, failure: Exception, started: float) -> dict[str, Any]:
    """Return the record of a call that was refused or failed."""
    known = failure if isinstance(failure, AgenticError) else None
    return {
        **_facts(call, arguments_digest(call.arguments)),
        "outcome": known.outcome if known else "unknown",
        "code": known.code if known else "internal",
        "receipts": [],
        "replayed": False,
        "duration_ms": milliseconds_since(started),
    }


def _facts(call: ToolCall, digest: str) -> dict[str, Any]:
    return {
        "id": call.id,
        "fence": call.fence,
        "tool": call.tool,
        "arguments_sha256": digest,
        "dry_run": call.dry_run,
        "context": call.context.model_dump(mode="json"),
    }


def milliseconds_since(started: float) -> float:
    """Return the time since a moment of the monotonic clock, in milliseconds."""
    return round((time.monotonic() - started) * 1000, 3)
