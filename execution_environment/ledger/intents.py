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
from execution_environment.ledger.records import OpenIntent

_CLOSE = "UPDATE calls SET renames = NULL, record = NULL"


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
            rows = connection.execute(
                "SELECT id, process, renames, list, record, trail FROM calls"
                " WHERE workspace = ? AND renames IS NOT NULL ORDER BY at",
                (workspace,),
            )
            applied = self._applied.get(workspace)
            return [OpenIntent(*row) for row in rows if row[0] != applied]

    def open_renames(self) -> list[tuple[str, str, str | None]]:
        """Return the workspace and the renames, or their list, of every intent not noted as closed."""
        with self._database.reading() as connection:
            return connection.execute(
                "SELECT workspace, renames, list FROM calls WHERE renames IS NOT NULL"
            ).fetchall()

    def note_applied(self, workspace: str, call_id: str) -> None:
        """Remember that an intent is carried out and on record. The workspace's lock is held."""
        self._applied[workspace] = call_id

    def is_applied(self, workspace: str, call_id: str) -> bool:
        """Tell whether a change that has an intent can be seen already."""
        if self._applied.get(workspace) == call_id:
            return True
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT renames IS NULL FROM calls WHERE id = ?", (call_id,)
            ).fetchone()
        return row is not None and bool(row[0])

    def disown(self, call_id: str) -> None:
        """Leave an intent that was carried out in part to whoever comes next."""
        with self._database.writing() as connection:
            connection.execute("UPDATE calls SET process = '' WHERE id = ?", (call_id,))

    def note_trail(self, call_id: str, head: Head) -> None:
        """Note in which chain, and after which line, an intent's missing entry is going to be."""
        with self._database.writing() as connection:
            note(connection, head)
            connection.execute("UPDATE calls SET trail = ? WHERE id = ?", (head.position, call_id))

    def close(self, ids: Iterable[str]) -> None:
        """Note that intents have been carried out."""
        with self._database.writing() as connection:
            connection.executemany(f"{_CLOSE} WHERE id = ?", [(call_id,) for call_id in ids])

    def close_applied(self) -> None:
        """Close all that this process has applied: after a crash nobody has to look for them."""
        applied = dict(self._applied)
        new = [call_id for place, call_id in applied.items() if self._closed.get(place) != call_id]
        if new:
            self.close(new)
            self._closed = applied

    def fail(self, call_id: str, failure: Problem) -> None:
        """Note what to answer for an intent that stays half done; its workspace is counted anew."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM usage WHERE workspace = (SELECT workspace FROM calls WHERE id = ?)",
                (call_id,),
            )
            connection.execute(
                f"{_CLOSE}, result = NULL, failure = ? WHERE id = ?",
                (failure.model_dump_json(), call_id),
            )

    def close_earlier(self, connection: Connection, workspace: str) -> None:
        """Close a workspace's intents, all of which have been carried out, within a transaction.

        Nothing is remembered of them either: an id that was forgotten may come again, and is not
        applied then because it was once.
        """
        connection.execute(f"{_CLOSE} WHERE workspace = ? AND renames IS NOT NULL", (workspace,))
        self._applied.pop(workspace, None)
        self._closed.pop(workspace, None)
