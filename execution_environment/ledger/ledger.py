"""The ledger: which calls have taken effect, and what is still to be renamed into place.

An entry is an intent first: it is written, complete with its result, before anything changes, and
that write is the moment at which the call has happened. What an entry says can be carried out by
anybody, so a crash after it loses nothing; a call without an entry has changed nothing.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from sqlite3 import Connection

from common.errors import Problem
from common.tools import ToolResult
from execution_environment.audit.chain import Head
from execution_environment.ledger import idempotency
from execution_environment.ledger.ageing import Ageing
from execution_environment.ledger.chains import Chains, note, position
from execution_environment.ledger.database import Database
from execution_environment.ledger.records import Abandoned, Claim, Intent, Unsettled, Usage

_SETTLE = "UPDATE calls SET renames = NULL, record = NULL"


class Ledger:
    """Calls, fences and usage, shared by all processes of the data directory."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self.ageing = Ageing(self._database)
        self.chains = Chains(self._database)

    def compact(self) -> None:
        """Write what an older program has left anew, so that it can shrink. For the start."""
        self._database.compact()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    # A call

    def admit(self, claim: Claim) -> None:
        """Remember the claim's fence; raise `fenced` when a newer one was seen."""
        if claim.session is None:
            return
        with self._database.reading() as connection:
            highest = idempotency.highest_fence(connection, claim.session)
        if claim.fence > highest:
            with self._database.writing() as connection:
                idempotency.note_fence(connection, claim)
        idempotency.require_fence(claim, highest)

    def find(self, claim: Claim) -> ToolResult | None:
        """Return the stored result; errors as `idempotency.stored_result` has them."""
        with self._database.reading() as connection:
            return idempotency.stored_result(connection, claim)

    def has(self, call_id: str) -> bool:
        """Tell whether a call has happened, whoever made it."""
        with self._database.reading() as connection:
            return _entry(connection, call_id) is not None

    def is_settled(self, call_id: str) -> bool:
        """Tell whether a call that has an entry is noted as carried out."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT renames IS NULL FROM calls WHERE id = ?", (call_id,)
            ).fetchone()
        return row is not None and bool(row[0])

    def record(self, intent: Intent, quota: Usage) -> ToolResult | None:
        """Write the intent: the commit point, together with the checks that it depends on.

        All earlier intents of the workspace have been carried out, and are noted so. When the id
        has a result already, that is returned and nothing is written.
        """
        claim = intent.claim
        with self._database.writing() as connection:
            stored = idempotency.stored_result(connection, claim)
            if stored is not None:
                return stored
            highest = idempotency.highest_fence(connection, claim.session)
            idempotency.require_fence(claim, highest)
            idempotency.grow(connection, claim.workspace, intent.growth, quota)
            connection.execute(
                f"{_SETTLE} WHERE workspace = ? AND renames IS NOT NULL", (claim.workspace,)
            )
            _insert(connection, intent)
            note(connection, intent.head)
            idempotency.note_progress(connection, claim.id)
        self._database.keep_reserve()
        return None

    def withdraw(self, intent: Intent) -> None:
        """Take an intent back of which nothing was carried out: its id is free again."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM calls WHERE id = ?", (intent.claim.id,))
            idempotency.shrink(connection, intent.claim.workspace, intent.growth)
            idempotency.take_progress_back(connection, intent.claim.id)

    def abandon(self, claim: Claim) -> Abandoned:
        """Make sure that a call without an entry never takes effect; tell of one that has one.

        Raises `fenced` when a newer owner of the session has been seen. The tombstone holds against
        this owner and those before it: one that comes later means the call.
        """
        with self._database.writing() as connection:
            idempotency.require_fence(claim, idempotency.highest_fence(connection, claim.session))
            found = _entry(connection, claim.id)
            if found is None:
                idempotency.require_progress(connection, claim.id)
                idempotency.note_abandoned(connection, claim)
        return found or Abandoned("", None, None)

    # Settling

    def unsettled(self, workspace: str) -> list[Unsettled]:
        """Return the workspace's intents that nobody has noted as carried out, in their order."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, process, renames, record, trail FROM calls"
                " WHERE workspace = ? AND renames IS NOT NULL ORDER BY at",
                (workspace,),
            )
            return [Unsettled(*row) for row in rows]

    def unsettled_places(self) -> list[tuple[str, str]]:
        """Return the workspace and the renames of every such intent."""
        with self._database.reading() as connection:
            return connection.execute(
                "SELECT workspace, renames FROM calls WHERE renames IS NOT NULL"
            ).fetchall()

    def let_go(self, call_id: str) -> None:
        """Leave an intent that was carried out in part to whoever comes next."""
        with self._database.writing() as connection:
            connection.execute("UPDATE calls SET process = '' WHERE id = ?", (call_id,))

    def will_record(self, call_id: str, head: Head) -> None:
        """Note in which chain, and after which line, an intent's missing record is going to be."""
        with self._database.writing() as connection:
            note(connection, head)
            connection.execute("UPDATE calls SET trail = ? WHERE id = ?", (position(head), call_id))

    def settled(self, ids: Iterable[str]) -> None:
        """Note that intents have been carried out."""
        with self._database.writing() as connection:
            connection.executemany(f"{_SETTLE} WHERE id = ?", [(call_id,) for call_id in ids])

    def failed(self, call_id: str, failure: Problem) -> None:
        """Note what to answer for an intent that stays half done; its workspace is counted anew."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM usage WHERE workspace = (SELECT workspace FROM calls WHERE id = ?)",
                (call_id,),
            )
            connection.execute(
                f"{_SETTLE}, result = NULL, failure = ? WHERE id = ?",
                (failure.model_dump_json(), call_id),
            )

    # Usage and age

    def usage(self, workspace: str) -> Usage | None:
        """Return what a workspace takes up, None while it was not counted."""
        with self._database.reading() as connection:
            return idempotency.usage_of(connection, workspace)

    def count(self, workspace: str, usage: Usage) -> None:
        """Start to keep count of a workspace. Its lock is held."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO usage VALUES (?, ?, ?)",
                (workspace, usage.size, usage.entries),
            )

    def forget_usage(self) -> None:
        """Have every workspace counted anew: files may have come and gone beside the service."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM usage")


def _entry(connection: Connection, call_id: str) -> Abandoned | None:
    row = connection.execute(
        "SELECT workspace, result, failure FROM calls WHERE id = ?", (call_id,)
    ).fetchone()
    return None if row is None else Abandoned(*row)


def _insert(connection: Connection, intent: Intent) -> None:
    claim = intent.claim
    whose = (claim.id, claim.digest, claim.workspace, intent.process)
    what = (intent.result.model_dump_json(), intent.renames, intent.record)
    connection.execute(
        "INSERT INTO calls (id, digest, workspace, process, result, renames, record, at, trail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*whose, *what, time.time(), position(intent.head)),
    )
