"""Forgets what is too old, a little at a time, so that calls get their turn in between."""

import time

from execution_environment.ledger.database import Database

RUN_MEMORY = 91 * 86400.0
"""Seconds for which a session's fence, a run's progress and a tombstone are remembered: 90 days, and
the one by which the time of a run's progress may be too old."""
STEP = 200
"""Entries that are removed in one transaction."""
_RESULTS = (
    "DELETE FROM calls WHERE number IN"
    " (SELECT number FROM calls WHERE at < ?"
    " AND NOT EXISTS (SELECT 1 FROM intents"
    " WHERE intents.workspace = calls.workspace AND intents.id = calls.id) LIMIT ?)"
)
_FENCES = "DELETE FROM fences WHERE session IN (SELECT session FROM fences WHERE at < ? LIMIT ?)"
_RUNS = "DELETE FROM runs WHERE run IN (SELECT run FROM runs WHERE at < ? LIMIT ?)"
_ABANDONED = "DELETE FROM abandoned WHERE id IN (SELECT id FROM abandoned WHERE at < ? LIMIT ?)"


class Ageing:
    """What is removed from the ledger, and when. Each step is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, result_ttl: float) -> bool:
        """Remove some results older than so many seconds, or some of what is known of long ended
        runs; tell whether there may be more.
        """
        now = time.time()
        return self._remove(_RESULTS, now - result_ttl) or any(
            self._remove(statement, now - RUN_MEMORY) for statement in (_FENCES, _RUNS, _ABANDONED)
        )

    def _remove(self, statement: str, before: float) -> bool:
        with self._database.writing() as connection:
            return connection.execute(statement, (before, STEP)).rowcount > 0

    def shrink(self) -> bool:
        """Give some of the room back that was taken by what is forgotten; tell whether there is more.

        Some is kept for what has to be written on a full disk.
        """
        if self._database.shrink():
            return True
        self._database.keep_reserve()
        return False
