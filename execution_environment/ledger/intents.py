"""Intents that are open: written down, and not noted as carried out yet.

A change has happened once its intent is written. That it has been carried out too is noted along
with the workspace's next intent, so that no call pays for a write of its own; until then this
process remembers it, and a crash in between costs a look at renames that are done already.
"""

from collections.abc import Iterable
from sqlite3 import Connection

from common.errors import Problem
from execution_environment.audit.chain import Head
from execution_environment.ledger.chains import note
from execution_environment.ledger.database import Database
from execution_environment.ledger.records import Intent, OpenIntent, Place, kept_of
from execution_environment.ledger.usage import uncount

_OPEN = """
SELECT intents.workspace, intents.id, process, renames, list, entry, result, trail
FROM intents JOIN calls ON calls.id = intents.id
WHERE intents.workspace = ? ORDER BY calls.at
"""
_IS_APPLIED = """
SELECT EXISTS (SELECT 1 FROM calls WHERE id = ?)
AND NOT EXISTS (SELECT 1 FROM intents WHERE workspace = ? AND id = ?)
"""
_CLOSE = "DELETE FROM intents WHERE workspace = ? AND id = ?"


class Intents:
    """Those of all processes, and which of its own this process has applied since."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._applied: dict[str, str] = {}
        """By workspace, the last one that this process has applied; earlier ones are closed."""
        self._closed: dict[str, str] = {}

    def open(self, workspace: str) -> list[OpenIntent]:
        """Return a workspace's intents whose renames may be missing.

        There is one at most: `write_intent` closes those before it, in its own transaction.
        """
        with self._database.reading() as connection:
            found = [OpenIntent(*row) for row in connection.execute(_OPEN, (workspace,))]
        applied = self._applied.get(workspace)
        return [intent for intent in found if intent.id != applied]

    def open_renames(self) -> list[tuple[str, str, str | None]]:
        """Return the workspace and the renames, or their list, of every intent not noted as closed."""
        with self._database.reading() as connection:
            return connection.execute(
                "SELECT intents.workspace, renames, list"
                " FROM intents JOIN calls ON calls.id = intents.id"
            ).fetchall()

    def note_applied(self, workspace: str, call_id: str) -> None:
        """Remember that an intent is carried out and on record. The workspace's lock is held."""
        self._applied[workspace] = call_id

    def is_applied(self, workspace: str, call_id: str) -> bool:
        """Tell whether a change has happened, and can be seen already: it may have been withdrawn since."""
        if self._applied.get(workspace) == call_id:
            return True
        with self._database.reading() as connection:
            row = connection.execute(_IS_APPLIED, (call_id, workspace, call_id)).fetchone()
            return bool(row[0])

    def disown(self, place: Place) -> None:
        """Leave an intent that was carried out in part to whoever comes next."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE intents SET process = '' WHERE workspace = ? AND id = ?", place
            )

    def note_trail(self, place: Place, head: Head) -> None:
        """Note in which chain, and after which line, an intent's missing entry is going to be."""
        with self._database.writing() as connection:
            note(connection, head)
            connection.execute(
                "UPDATE intents SET trail = ? WHERE workspace = ? AND id = ?",
                (head.position, *place),
            )

    def close(self, places: Iterable[Place]) -> None:
        """Note that intents have been carried out."""
        with self._database.writing() as connection:
            connection.executemany(_CLOSE, places)

    def close_applied(self) -> None:
        """Close all that this process has applied: after a crash nobody has to look for them."""
        applied = dict(self._applied)
        new = [place for place in applied.items() if self._closed.get(place[0]) != place[1]]
        if new:
            self.close(new)
            self._closed = applied

    def fail(self, place: Place, failure: Problem) -> None:
        """Note what to answer for an intent that stays half done; its workspace is counted anew."""
        workspace, call_id = place
        with self._database.writing() as connection:
            uncount(connection, workspace)
            connection.execute(_CLOSE, place)
            connection.execute(
                "UPDATE calls SET result = NULL, failure = ? WHERE id = ?",
                (failure.model_dump_json(), call_id),
            )

    def insert(self, connection: Connection, intent: Intent) -> None:
        """Write an intent's steps down, within a transaction, and close those of its workspace before it.

        All of those have been carried out. `forget` has to follow once it is committed.
        """
        workspace = intent.key.workspace
        connection.execute("DELETE FROM intents WHERE workspace = ?", (workspace,))
        if intent.renames is not None:
            steps = (intent.renames, kept_of(intent.audit_entry), intent.head.position)
            connection.execute(
                "INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?)",
                (workspace, intent.key.id, intent.process, *steps),
            )

    def forget(self, workspace: str) -> None:
        """Remember nothing of the intents before one that is written. The workspace's lock is held.

        An id that was forgotten may come again, and is not applied then because it was once.
        """
        self._applied.pop(workspace, None)
        self._closed.pop(workspace, None)
