"""The commit protocol: what was staged takes effect exactly once, through crashes and retries.

Everything here runs in a thread, under the workspace's lock:

1. settle what a crash left between its intent and its last rename
2. a stored result is the answer; else the ground must be as it was when the change was made
3. write the intent: from here on the call has happened, and anybody can carry it out
4. rename
5. the record; that all is done is noted along with the workspace's next intent
"""

import errno
import json
from collections.abc import Callable
from contextlib import suppress

from common.errors import AgenticError, SystemFault
from common.logs import get_logger
from common.tools import ToolResult
from execution_environment.draft import Draft
from execution_environment.sandbox.changes import RENAMES, Changes, Mover, Rename, Stale
from execution_environment.sandbox.faults import translated
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.state.audit import Audit
from execution_environment.state.claims import Intent, Unsettled, Usage
from execution_environment.state.ledger import Ledger
from execution_environment.state.locks import WorkspaceLocks

PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""Why a rename fails now that may succeed later; for any other reason it never will."""

log = get_logger(__name__)


def nothing(_step: str) -> None:
    """Observe nothing."""


class Committer:
    """Puts drafts in place; `observe` is told of each step, so that tests can die there."""

    def __init__(
        self,
        sandbox: Sandbox,
        ledger: Ledger,
        audit: Audit,
        observe: Callable[[str], None] = nothing,
    ) -> None:
        self._sandbox = sandbox
        self._mover: Mover = sandbox.mover
        self._ledger = ledger
        self._audit = audit
        self._observe = observe
        self._done: dict[str, str] = {}

    def begin(self, draft: Draft) -> ToolResult | None:
        """Stage a draft; or return the stored result, when its change can be seen already.

        One that may be under way has to wait for the lock. Nothing is locked yet.
        """
        claim = draft.claim
        self._ledger.admit(claim)
        stored = self._ledger.find(claim)
        if stored is None:
            draft.stage()
        elif self._done.get(claim.workspace) == claim.id or self._ledger.is_settled(claim.id):
            self._audit.append(draft.record(stored))
            return stored
        return None

    def commit(self, draft: Draft) -> ToolResult:
        """Make the draft happen, unless it has happened before; return its result."""
        claim = draft.claim
        self.settle(claim.workspace)
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
        self._done[claim.workspace] = claim.id
        self._audit.append(json.loads(intent.record))
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
        )

    def _require_count(self, draft: Draft) -> None:
        workspace = draft.claim.workspace
        if self._ledger.usage(workspace) is None:
            with translated("."):
                found = self._sandbox.measure(workspace, draft.workspace.bounds)
            self._ledger.count(workspace, Usage(found.size, found.entries))

    def _carry_out(self, intent: Intent, changes: Changes) -> None:
        try:
            with translated(changes.path):
                for rename in changes.renames:
                    self._mover.apply(rename)
                    self._observe("renamed")
            changes.fate = "done"
        except Exception as failure:
            if self._is_untouched(changes):
                self._ledger.withdraw(intent)
                changes.fate = "staged"
            elif isinstance(failure, AgenticError):
                failure.outcome = "unknown"  # begun: the workspace's next call settles it
            raise

    def _is_untouched(self, changes: Changes) -> bool:
        try:
            return self._mover.is_pending(changes.renames[0])
        except OSError:  # the way there is barred now, so it is not known
            return False

    def _empty(self, renames: list[Rename]) -> None:
        """Remove what a settled change has left in this process's staging, or displaced to it."""
        staging = self._mover.staging
        for place in (end for item in renames for end in (item.source, item.target)):
            if place.process == staging.process:
                with suppress(FileNotFoundError):
                    staging.discard(place.leaf)

    def settle(self, workspace: str) -> None:
        """Carry out what a crash has left undone. The workspace's lock is held."""
        for intent in self._ledger.unsettled(workspace):
            if self._done.get(workspace) != intent.id:
                self._settle(intent)

    def _settle(self, intent: Unsettled) -> None:
        renames = RENAMES.validate_json(intent.renames)
        try:
            for rename in renames:
                self._mover.settle(rename)
        except OSError as failure:
            if failure.errno in PASSING:
                raise
            self._give_up(intent, failure)
            self._empty(renames)
            return
        if self._is_off_record(intent):
            self._audit.append({**json.loads(intent.record), "settled": True})
        self._ledger.settled([intent.id])
        self._empty(renames)

    def _is_off_record(self, intent: Unsettled) -> bool:
        staging, process = self._mover.staging, intent.process
        if process == staging.process:
            return True
        return staging.is_abandoned(process) and not self._audit.mentions(process, intent.id)

    def _give_up(self, intent: Unsettled, failure: OSError) -> None:
        """Another program has put something in the way, so the change stays half made."""
        problem = SystemFault(
            "internal", "The change was cut short, and its place was then taken from outside"
        ).problem("execution_environment", None)
        self._ledger.failed(intent.id, problem)
        log.error("a change cannot be completed", call_id=intent.id, error=failure.strerror)

    def recover(self, locks: WorkspaceLocks) -> None:
        """Settle every workspace that nobody is busy with, and empty what the dead have staged."""
        for workspace in {place for place, _ in self._ledger.unsettled_places()}:
            with locks.tried(workspace) as is_held:
                if is_held:
                    self.settle(workspace)
        self._mover.staging.clean({process for _, process in self._ledger.unsettled_places()})

    def close(self) -> None:
        """Note all that is done."""
        self._ledger.settled(self._done.values())
