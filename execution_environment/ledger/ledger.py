"""The ledger (a write-ahead log): which calls have happened, and what is still to be renamed.

An entry is an intent first: it is written, complete with its result, before anything changes, and
that write is the moment at which the call has happened. What an entry says can be carried out by
anybody, so a crash after it loses nothing; a call without an entry has changed nothing.
"""

import time
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from common.tools import ToolResult
from execution_environment.ledger import chains, idempotency, usage
from execution_environment.ledger.ageing import Ageing
from execution_environment.ledger.database import Database
from execution_environment.ledger.fences import note_fence, require_fence
from execution_environment.ledger.intents import Intents
from execution_environment.ledger.records import CallKey, Intent, StoredCall
from execution_environment.sandbox.limits import Usage


class Ledger:
    """Calls, fences and usage, shared by all processes of the data directory."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self.intents = Intents(self._database)
        self.usage = usage.UsageCounts(self._database)
        self.ageing = Ageing(self._database)
        self.chains = chains.Chains(self._database)

    def compact(self) -> None:
        """Write what an older program has left anew, so that it can shrink. For the start."""
        self._database.compact()

    def close(self) -> None:
        """Note what has been applied, and close the database."""
        try:
            self.intents.close_applied()
        finally:
            self._database.close()

    def admit(self, session: str | None, fence: int) -> None:
        """Remember a call's fence; raise `fenced` when a newer one was seen for its session."""
        if session is None:
            return
        with self._database.reading() as connection:
            highest = require_fence(connection, session, fence)
        if fence > highest:
            note = partial(note_fence, session=session, fence=fence)
            self._database.write(note)

    def find(self, key: CallKey) -> ToolResult | None:
        """Return the stored result; errors as `idempotency.stored_result` has them."""
        with self._database.reading() as connection:
            return idempotency.stored_result(connection, key)

    def stored(self, call_id: str) -> StoredCall | None:
        """Return what is stored under an id, whoever made the call; None while it is free."""
        with self._database.reading() as connection:
            return idempotency.stored_call(connection, call_id)

    def has(self, call_id: str) -> bool:
        """Tell whether a call has happened, whoever made it."""
        return self.stored(call_id) is not None

    def names(self, listed: str) -> bool:
        """Tell whether a call names a list, be it carried out or not."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT 1 FROM calls WHERE list = ?", (listed,)).fetchone()
        return row is not None

    def write_intent(self, intent: Intent, quota: Usage) -> ToolResult | None:
        """Write the intent: the commit point, together with the checks that it depends on.

        The workspace's lock is held, and all its earlier intents have been carried out: that is
        noted here. When the id has a result already, it is returned and nothing is written.
        """
        stored = self._database.write(partial(self._write_intent, intent=intent, quota=quota))
        if stored is None:  # only now: until it is committed, the one before is still on the disk
            self.intents.forget(intent.key.workspace)
        return stored

    def _write_intent(
        self, connection: Connection, intent: Intent, quota: Usage
    ) -> ToolResult | None:
        key = intent.key
        stored = idempotency.stored_result(connection, key)
        if stored is not None:
            return stored
        require_fence(connection, key.session, key.fence)
        usage.grow(connection, key.workspace, intent.growth, quota)
        self.intents.insert(connection, intent)
        _insert(connection, intent)
        chains.note(connection, intent.head)
        idempotency.note_progress(connection, key.id)
        return None

    def withdraw(self, intent: Intent) -> None:
        """Take an intent back of which nothing was carried out: its id is free again."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM calls WHERE id = ?", (intent.key.id,))
            connection.execute(
                "DELETE FROM intents WHERE workspace = ? AND id = ?", intent.key.place
            )
            usage.shrink(connection, intent.key.workspace, intent.growth)
            idempotency.take_progress_back(connection, intent.key.id)

    def tombstone(self, key: CallKey) -> StoredCall | None:
        """Make sure that a call without an entry never takes effect; return the entry of another.

        Raises `fenced` when a newer owner of the session has been seen. The tombstone holds against
        this owner and those before it: one that comes later means the call.
        """
        with self._database.writing() as connection:
            require_fence(connection, key.session, key.fence)
            found = idempotency.stored_call(connection, key.id)
            if found is None:
                idempotency.require_progress(connection, key.id)
                idempotency.write_tombstone(connection, key)
        return found


def _insert(connection: Connection, intent: Intent) -> None:
    key, result = intent.key, intent.result.model_dump_json(exclude_defaults=True)
    connection.execute(
        "INSERT INTO calls (id, digest, workspace, result, list, at) VALUES (?, ?, ?, ?, ?, ?)",
        (key.id, key.fingerprint, key.workspace, result, intent.listed, time.time()),
    )
