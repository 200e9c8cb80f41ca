"""What the ledger knows of the audit trail's chains: how far each has come, and what was removed.

The files could lose a tail, or a whole chain, without a gap in what is left; the ledger tells.
"""

from dataclasses import dataclass
from sqlite3 import Connection

from execution_environment.audit.chain import GENESIS, Head
from execution_environment.ledger.database import Database


@dataclass(frozen=True)
class Chain:
    """How far a chain has come at least, and up to which line its files were removed as too old."""

    head: Head
    removed: Head


class Chains:
    """The chains of all processes of the data directory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, head: Head) -> None:
        """Remember how far a chain has come."""
        with self._database.writing() as connection:
            note(connection, head)

    def note_removed(self, last: Head) -> None:
        """Remember that a chain's lines up to this one are going to be removed as too old."""
        with self._database.writing() as connection:
            note(connection, last)
            connection.execute(
                "UPDATE chains SET removed_seq = ?, removed_hash = ?"
                " WHERE chain = ? AND removed_seq < ?",
                (last.seq, last.hash, last.chain, last.seq),
            )

    def known(self) -> list[Chain]:
        """Return every chain that there is, or was."""
        with self._database.reading() as connection:
            return known(connection)

    def needed(self) -> set[str]:
        """Return the chains that may hold the record of a change that is not settled yet."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT trail FROM calls WHERE renames IS NOT NULL AND trail IS NOT NULL"
            )
            return {position.rpartition(":")[0] for (position,) in rows}


def note(connection: Connection, head: Head) -> None:
    """Remember how far a chain has come, within a transaction."""
    connection.execute(
        "INSERT INTO chains VALUES (?, ?, ?, 0, ?) ON CONFLICT (chain) DO UPDATE"
        " SET seq = excluded.seq, hash = excluded.hash WHERE excluded.seq > seq",
        (head.chain, head.seq, head.hash, GENESIS),
    )


def known(connection: Connection) -> list[Chain]:
    """Return every chain that there is, or was."""
    rows = connection.execute("SELECT chain, seq, hash, removed_seq, removed_hash FROM chains")
    return [
        Chain(Head(chain, seq, digest), Head(chain, removed, removed_digest))
        for chain, seq, digest, removed, removed_digest in rows
    ]


def position(head: Head) -> str:
    """Return how an intent names the line after which its record will be."""
    return f"{head.chain}:{head.seq}"
