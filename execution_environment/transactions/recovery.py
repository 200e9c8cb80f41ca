"""Rolls forward what was begun: changes whose intent is written and whose renames were cut short.

Everything here runs in a thread, under the workspace's lock. What must hold: an intent is rolled
forward only when nobody else carries it out, and before anything else happens to its workspace. Else
a rename that was taken already would be taken again, of what others have put there since.
"""

import errno
import sqlite3
from contextlib import suppress

from common.errors import AgenticError, SystemFault
from common.logs import get_logger
from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.records import CallKey, OpenIntent
from execution_environment.sandbox.renames import RENAMES, Rename, Renamer
from execution_environment.transactions.change_lists import ChangeLists, DamagedList
from execution_environment.transactions.locks import WorkspaceLocks

TRANSIENT_ERRNOS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
}
"""Why a rename fails now that may succeed later; for any other reason it never will."""

_IN_THE_WAY = "The change was cut short, and its place was then taken from outside"
_LOST = "The change was cut short, and the list of what was still to be done is lost"
_OF_OLD = "The change was cut short under an older program, which kept too little to go on with it"

log = get_logger(__name__)


class Recovery:
    """Finds open intents, and tells those that were left from those that are under way."""

    def __init__(
        self, renamer: Renamer, ledger: Ledger, audit: AuditWriter, lists: ChangeLists
    ) -> None:
        self._renamer = renamer
        self._ledger = ledger
        self._audit = audit
        self._lists = lists
        self._disowned: set[str] = set()

    def disown(self, key: CallKey) -> None:
        """Leave a change that failed in the middle to whoever comes next, in any process."""
        self._disowned.add(key.id)  # enough for this process; others see when it has ended
        try:
            self._ledger.intents.disown(key.place)
        except (AgenticError, sqlite3.Error):
            log.exception("an intent could not be disowned in the ledger", call_id=key.id)

    def recover(self, workspace: str) -> None:
        """Carry out what was left undone in a workspace."""
        for intent in self._ledger.intents.open(workspace):
            if self._is_left(intent):
                self._roll_forward(intent)
                self._disowned.discard(intent.id)

    def recover_all(self, locks: WorkspaceLocks) -> None:
        """Carry out what nobody is busy with, and empty what the dead have staged."""
        for workspace in {place for place, *_ in self._ledger.intents.open_renames()}:
            with locks.tried(workspace) as is_held:
                if is_held:
                    self.recover(workspace)
        self._renamer.staging.clean(self._needed())

    def forget_lists(self) -> None:
        """Remove the lists of changes that no call names any more."""
        self._lists.forget(self._ledger.names)

    def _is_left(self, intent: OpenIntent) -> bool:
        """Tell whether steps may be missing: those of a living process are not, unless disowned.

        It has taken them under the lock that is held here, and only not noted so yet: what it could
        not finish, or put on record, it has disowned. Taking them again would take away what others
        have put there since.
        """
        if intent.id in self._disowned or not intent.process:
            return True
        return self._renamer.staging.has_ended(intent.process)

    def _roll_forward(self, intent: OpenIntent) -> None:
        try:
            renames = self._steps(intent.renames, intent.listed)
        except DamagedList as failure:
            self._give_up(intent, _LOST, str(failure))
            return
        try:
            self._renamer.roll_forward(renames)
        except OSError as failure:
            if failure.errno in TRANSIENT_ERRNOS:
                raise
            why = _OF_OLD if failure.errno == errno.ESTALE else _IN_THE_WAY
            self._give_up(intent, why, failure.strerror)
            self._empty(renames)
            return
        if not self._audit.holds(intent.trail, intent.id):
            self._ledger.intents.note_trail(intent.place, self._audit.head)
            # "settled" is the trail's word for what was rolled forward
            self._audit.append({**intent.audit_entry(), "settled": True})
        self._ledger.intents.close([intent.place])
        self._empty(renames)

    def _steps(self, renames: str, listed: str | None) -> list[Rename]:
        """Return an intent's steps, from its list if it has one; raise DamagedList if that is lost."""
        return RENAMES.validate_json(renames) if listed is None else self._lists.renames(listed)

    def _give_up(self, intent: OpenIntent, why: str, error: str | None) -> None:
        """Note, and put on record, that the change stays as the crash has left it."""
        problem = SystemFault("internal", why).problem("execution_environment", None)
        entry = {**intent.audit_entry(), "outcome": "unknown", "code": "internal"}
        self._audit.append({**entry, "receipts": [], "changes": None, "settled": True})
        self._ledger.intents.fail(intent.place, problem)
        log.error("a change cannot be completed", call_id=intent.id, error=error)

    def _empty(self, renames: list[Rename]) -> None:
        """Remove what a change has left in this process's staging, or displaced to it."""
        staging = self._renamer.staging
        for place in (end for item in renames for end in (item.source, item.target)):
            if place.process == staging.process:
                with suppress(FileNotFoundError):
                    staging.discard(place.leaf)

    def _needed(self) -> set[str]:
        """Return the processes whose staging something is still to be taken from, or put in."""
        needed: set[str | None] = set()
        for _, renames, listed in self._ledger.intents.open_renames():
            with suppress(DamagedList):  # nothing can be taken, then
                for step in self._steps(renames, listed):
                    needed |= {step.source.process, step.target.process}
        return {process for process in needed if process is not None}
