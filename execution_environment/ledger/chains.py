"""What the ledger knows of the audit trail's chains: how far each has come, and what was removed.

The files could lose a tail, or a whole chain, without a gap in what is left; the ledger tells.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from urllib.parse import quote

from execution_environment.audit.chain import GENESIS, Chain, Head
from execution_environment.audit.verifier import Tampered
from execution_environment.ledger.database import Database
from execution_environment.ledger.schema import CHAINS_SINCE, format_of


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
            return _known(connection)

    def needed(self) -> set[str]:
        """Return the chains that may hold the audit entry of a change that is still open."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT DISTINCT trail FROM intents WHERE trail IS NOT NULL")
            return {position.rpartition(":")[0] for (position,) in rows}


def note(connection: Connection, head: Head) -> None:
    """Remember how far a chain has come, within a transaction."""
    connection.execute(
        "INSERT INTO chains VALUES (?, ?, ?, 0, ?) ON CONFLICT (chain) DO UPDATE"
        " SET seq = excluded.seq, hash = excluded.hash WHERE excluded.seq > seq",
        (head.chain, head.seq, head.hash, GENESIS),
    )


def read_chains(ledger: Path) -> list[Chain]:
    """Return what a ledger that may be in use says of the chains; raise Tampered without one.

    Raises UnknownFormat of one that a newer program has written.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(ledger))}?mode=ro", uri=True)) as connection:
            if format_of(connection) < CHAINS_SINCE:
                raise Tampered(f"{ledger.name}: an older program's, which knows no chains")
            return _known(connection)
    except sqlite3.Error as error:
        raise Tampered(f"{ledger.name}: what chains there are cannot be told: {error}") from error


def _known(connection: Connection) -> list[Chain]:
    rows = connection.execute("SELECT chain, seq, hash, removed_seq, removed_hash FROM chains")
    return [
        Chain(Head(chain, seq, digest), Head(chain, removed, removed_digest))
        for chain, seq, digest, removed, removed_digest in rows
    ]
