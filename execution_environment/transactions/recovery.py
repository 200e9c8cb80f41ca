"""Completes what was begun: a change whose intent is written and whose renames a crash cut short.

Everything here runs in a thread, under the workspace's lock.
"""

import errno
import json
from contextlib import suppress

from common.errors import SystemFault
from common.logs import get_logger
from execution_environment.audit.writer import Audit
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.records import Unsettled
from execution_environment.sandbox.renames import RENAMES, Mover, Rename
from execution_environment.transactions.locks import WorkspaceLocks

PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
"""Why a rename fails now that may succeed later; for any other reason it never will."""

_IN_THE_WAY = "The change was cut short, and its place was then taken from outside"
_OF_OLD = "The change was cut short under an older program, which kept too little to go on with it"

log = get_logger(__name__)


class Completer:
    """Knows which changes are done though the ledger has not been told yet."""

    def __init__(self, mover: Mover, ledger: Ledger, audit: Audit) -> None:
        self._mover = mover
        self._ledger = ledger
        self._audit = audit
        self._done: dict[str, str] = {}
        self._noted: dict[str, str] = {}
        self._let_go: set[str] = set()

    def note(self, workspace: str, call_id: str) -> None:
        """Note that a change is done; the ledger is told along with the workspace's next intent."""
        self._done[workspace] = call_id

    def let_go(self, call_id: str) -> None:
        """Leave a change that failed in the middle to whoever comes next, in any process."""
        self._let_go.add(call_id)
        self._ledger.let_go(call_id)

    def is_done(self, workspace: str, call_id: str) -> bool:
        """Tell whether a change that has an intent can be seen already."""
        return self._done.get(workspace) == call_id or self._ledger.is_settled(call_id)

    def complete(self, workspace: str) -> None:
        """Carry out what a crash has left undone."""
        for intent in self._ledger.unsettled(workspace):
            if self._is_left(intent):
                self._complete(intent)
                self._let_go.discard(intent.id)

    def _is_left(self, intent: Unsettled) -> bool:
        """Tell whether steps may be missing: those of a living process are not, unless it let go.

        It has taken them under the lock that is held here, and only not noted so yet. Taking them
        again would take away what others have put there since.
        """
        if intent.id in self._let_go or not intent.process:
            return True
        return self._mover.staging.is_abandoned(intent.process)

    def _complete(self, intent: Unsettled) -> None:
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
        if not self._audit.holds(intent.trail, intent.id):
            self._ledger.will_record(intent.id, self._audit.head)
            self._audit.append({**json.loads(intent.record), "settled": True})
        self._ledger.settled([intent.id])
        self._empty(renames)

    def _give_up(self, intent: Unsettled, failure: OSError) -> None:
        """Note, and put on record, that the change stays as the crash has left it."""
        why = _OF_OLD if failure.errno == errno.ESTALE else _IN_THE_WAY
        problem = SystemFault("internal", why).problem("execution_environment", None)
        record = {**json.loads(intent.record), "outcome": "unknown", "code": "internal"}
        self._audit.append({**record, "receipts": [], "settled": True})
        self._ledger.failed(intent.id, problem)
        log.error("a change cannot be completed", call_id=intent.id, error=failure.strerror)

    def _empty(self, renames: list[Rename]) -> None:
        """Remove what a completed change has left in this process's staging, or displaced to it."""
        staging = self._mover.staging
        for place in (end for item in renames for end in (item.source, item.target)):
            if place.process == staging.process:
                with suppress(FileNotFoundError):
                    staging.discard(place.leaf)

    def recover(self, locks: WorkspaceLocks) -> None:
        """Complete what nobody is busy with, and empty what the dead have staged."""
        for workspace in {place for place, _ in self._ledger.unsettled_places()}:
            with locks.tried(workspace) as is_held:
                if is_held:
                    self.complete(workspace)
        self._mover.staging.clean(self._needed())

    def _needed(self) -> set[str]:
        """Return the processes whose staging something is still to be taken from, or put in."""
        changes = [RENAMES.validate_json(text) for _, text in self._ledger.unsettled_places()]
        ends = (end for items in changes for item in items for end in (item.source, item.target))
        return {end.process for end in ends if end.process is not None}

    def note_done(self) -> None:
        """Note all that is done, so that after a crash nobody has to look for its records."""
        done = dict(self._done)
        new = [call_id for place, call_id in done.items() if self._noted.get(place) != call_id]
        if new:
            self._ledger.settled(new)
            self._noted = done
