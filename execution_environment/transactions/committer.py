"""The commit protocol: what was staged takes effect exactly once, through crashes and retries.

Everything here runs in a thread, under the workspace's lock:

1. settle what a crash left between its intent and its last rename
2. a stored result is the answer; else the ground must be as it was when the change was made
3. write the intent: from here on the call has happened, and anybody can carry it out
4. rename
5. the record; that all is done is noted along with the workspace's next intent
"""

import json
from collections.abc import Callable

from common.errors import AgenticError
from common.tools import ToolResult
from execution_environment.audit.writer import Audit
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.records import Intent, Usage
from execution_environment.sandbox.os_errors import translated
from execution_environment.sandbox.renames import RENAMES, Changes, Mover, Stale
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.transactions.recovery import Completer
from execution_environment.transactions.transaction import Draft


def nothing(_step: str) -> None:
    """Observe nothing."""


class Committer:
    """Puts drafts in place; `observe` is told of each step, so that tests can die there."""

    def __init__(
        self,
        sandbox: Sandbox,
        ledger: Ledger,
        audit: Audit,
        completer: Completer,
        observe: Callable[[str], None] = nothing,
    ) -> None:
        self._sandbox = sandbox
        self._mover: Mover = sandbox.mover
        self._ledger = ledger
        self._audit = audit
        self._completer = completer
        self._observe = observe

    def begin(self, draft: Draft) -> ToolResult | None:
        """Stage a draft; or return the stored result, when its change can be seen already.

        One that may be under way has to wait for the lock, and so has what is measured under it.
        Nothing is locked yet.
        """
        claim = draft.claim
        self._ledger.admit(claim)
        stored = self._ledger.find(claim)
        if stored is None and not draft.needs_lock:
            stored = self._staged(draft)
        if stored is None or not self._completer.is_done(claim.workspace, claim.id):
            return None
        self._audit.append(draft.record(stored))
        return stored

    def _staged(self, draft: Draft) -> ToolResult | None:
        """Stage a draft; return the result of an attempt that has just taken its ground, if any."""
        try:
            draft.stage()
        except AgenticError:
            stored = self._ledger.find(draft.claim)
            if stored is None:
                raise
            return stored
        return None

    def commit(self, draft: Draft) -> ToolResult:
        """Make the draft happen, unless it has happened before; return its result."""
        claim = draft.claim
        self._completer.complete(claim.workspace)
        self._observe("settled")
        stored = self._ledger.find(claim)
        if stored is None:
            intent = self._prepare(draft)
            stored = self._ledger.record(intent, draft.quota)
        if stored is not None:
            self._audit.append(draft.record(stored))
            return stored
        draft.workspace.changes.fate = "recorded"
        self._observe("recorded")
        self._carry_out(intent, draft.workspace.changes)
        self._audit.append(json.loads(intent.record))
        self._completer.note(claim.workspace, claim.id)  # done is what is on record as well
        self._observe("done")
        return intent.result

    def _prepare(self, draft: Draft) -> Intent:
        if draft.is_staged:
            try:
                self._mover.check(draft.workspace.changes.guards)
            except Stale:
                draft.workspace.discard()
                draft.stage()
        else:
            draft.stage()
        bounds, result = draft.workspace.bounds, draft.result()
        bounds.check_deadline()
        self._require_count(draft)
        renames = draft.workspace.changes.renames
        self._observe("checked")
        return Intent(
            claim=draft.claim,
            process=self._mover.staging.process,
            result=result,
            renames=RENAMES.dump_json(renames).decode() if renames else None,
            record=json.dumps(draft.record(result)),
            growth=Usage(bounds.meter.size, bounds.meter.entries),
            head=self._audit.head,
        )

    def _require_count(self, draft: Draft) -> None:
        workspace = draft.claim.workspace
        if self._ledger.usage(workspace) is None:
            with translated("."):
                found = self._sandbox.measure(workspace, draft.workspace.bounds)
            self._ledger.count(workspace, Usage(found.size, found.entries))

    def _carry_out(self, intent: Intent, changes: Changes) -> None:
        try:
            for rename in changes.renames:
                with translated(rename.path):
                    self._mover.apply(rename)
                self._observe("renamed")
            changes.fate = "done"
        except Exception as failure:
            if self._is_untouched(changes):
                self._ledger.withdraw(intent)
                changes.fate = "staged"
                raise
            if isinstance(failure, AgenticError):
                failure.outcome = "unknown"  # begun: the workspace's next call completes it
            self._completer.let_go(intent.claim.id)
            raise

    def _is_untouched(self, changes: Changes) -> bool:
        try:
            return self._mover.is_pending(changes.renames[0])
        except OSError:  # the way there is barred now, so it is not known
            return False
