"""The commit protocol: what was staged takes effect exactly once, through crashes and retries.

Everything here runs in a thread; `commit` runs under the workspace's lock:

1. recover: roll forward what a crash left between its intent and its last rename
2. a stored result is the answer; else the preconditions must hold, or the change is made again
3. write the intent: from here on the call has happened, and anybody can carry it out
4. rename
5. write the audit entry; that all is done is noted along with the workspace's next intent

What must hold: nothing in a workspace is renamed without an intent on the disk, and no intent is
written while an earlier one of the workspace is open. Recovery relies on both: it may repeat any
rename of an open intent, since nothing that came later can be in its way.
"""

import sqlite3
from collections.abc import Callable

from common.errors import AgenticError
from common.logs import get_logger
from common.tools import ToolResult
from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.records import Intent
from execution_environment.sandbox.os_errors import translated
from execution_environment.sandbox.renames import RENAMES
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.transactions.change_lists import ChangeLists
from execution_environment.transactions.recovery import Recovery
from execution_environment.transactions.transaction import Transaction
from execution_environment.workspace.staged_change import StagedChange

log = get_logger(__name__)


def nothing(_step: str) -> None:
    """Observe nothing."""


class Committer:
    """Puts changes in place; `observe` is told of each step, so that tests can die there."""

    def __init__(
        self,
        sandbox: Sandbox,
        ledger: Ledger,
        audit: AuditWriter,
        recovery: Recovery,
        lists: ChangeLists,
        observe: Callable[[str], None] = nothing,
    ) -> None:
        self._sandbox = sandbox
        self._renamer = sandbox.renamer
        self._ledger = ledger
        self._audit = audit
        self._recovery = recovery
        self._lists = lists
        self._observe = observe

    def stage_or_find(self, transaction: Transaction) -> ToolResult | None:
        """Stage a transaction; or return the stored result, when its change can be seen already.

        Nothing is locked yet. None: `commit` has to follow. It is staged then, or will be under the
        lock (`needs_lock`), or an earlier attempt may be under way there.
        """
        key = transaction.key
        self._ledger.admit(key.session, key.fence)
        stored = self._ledger.find(key)
        if stored is None and not transaction.needs_lock:
            stored = self._stage_unless_overtaken(transaction)
        if stored is None or not self._ledger.intents.is_applied(key.workspace, key.id):
            return None
        self._audit.append(transaction.audit_entry(stored))
        return stored

    def _stage_unless_overtaken(self, transaction: Transaction) -> ToolResult | None:
        """Stage a transaction; or return the result of an attempt that was quicker, if any.

        That one's change is what this one then fails at: its file is there already, say.
        """
        try:
            transaction.stage()
        except AgenticError:
            stored = self._ledger.find(transaction.key)
            if stored is None:
                raise
            return stored
        return None

    def commit(self, transaction: Transaction) -> ToolResult:
        """Make the transaction happen, unless it has happened before; return its result."""
        transaction.answer = self._commit(transaction)
        return transaction.answer

    def _commit(self, transaction: Transaction) -> ToolResult:
        key = transaction.key
        self._recovery.recover(key.workspace)
        self._observe("recovered")
        is_ready = transaction.is_staged and transaction.change.is_fresh()
        stored = None if is_ready else self._ledger.find(key)
        intent = stored or self._intended(transaction, is_ready=is_ready)
        if isinstance(intent, ToolResult):
            self._audit.append(transaction.audit_entry(intent))
            return intent
        transaction.change.mark("committed")
        self._observe("committed")
        self._carry_out(intent, transaction.change)
        # Only now: applied means on record as well, and recovery looks for no entry of it.
        self._ledger.intents.note_applied(key.workspace, key.id)
        self._observe("applied")
        return intent.result

    def _intended(self, transaction: Transaction, *, is_ready: bool) -> Intent | ToolResult:
        """Return the intent, which is written; or the result of an attempt that was quicker."""
        try:
            intent = self._prepare(transaction, is_ready=is_ready)
        except AgenticError:
            stored = self._ledger.find(transaction.key) if is_ready else None
            if stored is None:
                raise
            return stored
        return self._ledger.write_intent(intent, transaction.change.meter.quota) or intent

    def _prepare(self, transaction: Transaction, *, is_ready: bool) -> Intent:
        change = transaction.change
        if not is_ready:
            change.discard()
            transaction.stage()
        listed = self._written_list(change) if change.is_bulk and change.renames else None
        steps = change.renames if listed is None else []
        result = transaction.result(listed)
        transaction.workspace.limits.check_deadline()
        self._require_count(transaction)
        self._observe("checked")
        return Intent(
            key=transaction.key,
            process=self._renamer.staging.process,
            result=result,
            renames=RENAMES.dump_json(steps).decode() if change.renames else None,
            listed=listed,
            audit_entry=transaction.audit_entry(result),
            growth=change.meter.growth,
            head=self._audit.head,
        )

    def _written_list(self, change: StagedChange) -> str:
        """Have all that a bulk change has staged on the disk, and its list; return its name."""
        with translated("."):
            self._renamer.staging.sync_all()
            listed = self._lists.write(change.renames, change.receipts())
        self._observe("listed")
        return listed

    def _require_count(self, transaction: Transaction) -> None:
        """See to it that the workspace is counted, before it changes for the first time."""
        workspace = transaction.key.workspace
        if self._ledger.usage.of(workspace) is None:
            with translated("."):
                found = self._sandbox.measure(workspace, transaction.workspace.limits)
            self._ledger.usage.start(workspace, found)

    def _carry_out(self, intent: Intent, change: StagedChange) -> None:
        """Take the steps and put them on record; take the intent back when none can be taken.

        What fails in the middle is disowned, so that the workspace's next call completes it: else
        that call would take it for carried out, and close it.
        """
        try:
            for rename in change.renames:
                with translated(rename.path):
                    self._renamer.apply(rename)
                self._observe("renamed")
            with translated("."):
                self._renamer.sync(change.renames)
            change.mark("applied")
            self._audit.append(intent.audit_entry)
        except Exception as failure:
            if self._is_untouched(change) and self._is_withdrawn(intent):
                change.mark("staged")
                raise
            if isinstance(failure, AgenticError):
                failure.outcome = "unknown"
            self._recovery.disown(intent.key)
            raise

    def _is_untouched(self, change: StagedChange) -> bool:
        try:
            return bool(change.renames) and self._renamer.is_pending(change.renames[0])
        except OSError:  # the way there is barred now, so it is not known
            return False

    def _is_withdrawn(self, intent: Intent) -> bool:
        try:
            self._ledger.withdraw(intent)
        except (AgenticError, sqlite3.Error):
            log.exception("an intent could not be withdrawn: the next call carries it out")
            return False
        return True
