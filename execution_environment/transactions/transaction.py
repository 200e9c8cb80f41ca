"""One call that has an effect, or an answer, once: what it stages, and what there is to say of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from common.errors import ToolError
from common.tools import ToolCall, ToolResult
from execution_environment.audit.records import (
    EXECUTED,
    arguments_digest,
    entry_of,
    milliseconds_since,
)
from execution_environment.ledger.records import call_key
from execution_environment.transactions.expecting import changed_since_preview, require_expected
from execution_environment.workspace.workspace import Workspace

Operation = Callable[[Workspace], dict[str, Any]]
"""Reads a workspace, stages what it changes there, and returns the call's output."""


class Transaction:
    """A call with its operation, which may be done again: what it was made from may go stale."""

    def __init__(
        self,
        call: ToolCall,
        workspace: Workspace,
        operation: Operation,
        *,
        needs_lock: bool = False,
    ) -> None:
        """`needs_lock`: it can be staged only while no other call changes the workspace."""
        self.call = call
        self.workspace = workspace
        self.change = workspace.change
        self.needs_lock = needs_lock
        self._operation = operation
        self._started = time.monotonic()
        self._digest = arguments_digest(call.arguments)
        self._output: dict[str, Any] = {}
        self.is_staged = False
        """Whether it has been made: not when its id had a result, nor before a lock that it needs."""
        self.answer: ToolResult | None = None
        """Its result, or that of an earlier attempt, once it is committed."""
        self.key = call_key(call.id, call.fence, call.tool, self._digest, call.context)

    def stage(self) -> None:
        """Make the change from what is there now; leave nothing staged when that fails.

        Raises `changed_since_preview` where it is not what the call expects.
        """
        self.workspace.limits.check_deadline()
        try:
            with self._as_expected():
                self._output, self.is_staged = self._operation(self.workspace), True
        except BaseException:
            self.change.discard()
            raise

    @contextmanager
    def _as_expected(self) -> Iterator[None]:
        expected = self.call.expected
        if expected is None:
            yield
            return
        try:
            yield
        except ToolError as failure:
            if not expected:  # its preview has failed, or changed nothing: nobody relies on it
                raise
            raise changed_since_preview(failure) from failure  # it could be made at that time
        require_expected(self.change.receipts(), expected)

    @property
    def is_bulk(self) -> bool:
        """Whether it changes so many files that its receipts are a list of their own."""
        return self.change.is_bulk

    def result(self, listed: str | None = None) -> ToolResult:
        """Return what to answer, once it is staged; `listed` names the list of a bulk change.

        The output of one has counts, and gets the list's name in place of receipts.
        """
        named = {"receipts_sha256": listed} if self.is_bulk else {}
        return ToolResult(
            id=self.call.id,
            tool=self.call.tool,
            output={**self._output, **named},
            receipts=[] if self.is_bulk else self.change.receipts(),
            duration_ms=milliseconds_since(self._started),
        )

    def audit_entry(self, result: ToolResult) -> dict[str, Any]:
        """Return what the trail says of the call, which was allowed."""
        return entry_of(
            self.call,
            self._digest,
            EXECUTED,
            receipts=[receipt.model_dump(mode="json") for receipt in result.receipts],
            changes=result.output if self.is_bulk else None,
            replayed=result.replayed,
            duration_ms=result.duration_ms,
        )
