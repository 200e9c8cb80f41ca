"""One SQLite database for all processes of a data directory: what is committed survives a crash."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.errors import ToolError

BUSY_TIMEOUT = 30.0
"""Seconds that a process waits while another one writes."""
RESERVE = 1024 * 1024
"""Bytes that are kept free in the database."""
_SCHEMA = """
DROP TABLE IF EXISTS reserve;
CREATE TABLE IF NOT EXISTS calls (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    workspace TEXT NOT NULL,
    process TEXT NOT NULL,
    result TEXT,
    failure TEXT,
    renames TEXT,
    record TEXT,
    at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS calls_unsettled ON calls (workspace) WHERE renames IS NOT NULL;
CREATE INDEX IF NOT EXISTS calls_by_time ON calls (at);
CREATE TABLE IF NOT EXISTS fences (
    session TEXT PRIMARY KEY, fence INTEGER NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, step INTEGER NOT NULL, call INTEGER NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage (
    workspace TEXT PRIMARY KEY, size INTEGER NOT NULL, entries INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserved (
    workspace TEXT NOT NULL, process TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (workspace, process)
) WITHOUT ROWID;
"""


class Database:
    """Two connections that the threads of this process take turns with.

    One reads and one writes, so that a lookup never waits for a write to reach the disk.
    """

    def __init__(self, path: Path) -> None:
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._connection = connect(path)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA temp_store = MEMORY")  # other directories are walled off
        self._connection.executescript(_SCHEMA)
        self._reader = connect(path)
        self._reader.execute("SELECT 1 FROM calls LIMIT 1").fetchone()  # opens what it needs

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the reader for single statements: it sees what has been committed."""
        with self._reading:
            yield self._reader

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one transaction: all of it is on the disk afterwards, or none.

        Raises `no_space` on a full disk, but for what the reserve has room for.
        """
        with self._writing:
            try:
                with self._transaction():
                    yield self._connection
            except sqlite3.OperationalError as failure:
                if failure.sqlite_errorcode == sqlite3.SQLITE_FULL:
                    self._begin_log_anew()
                    raise _no_space() from failure
                raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # some failures have ended it already
                self._connection.execute("ROLLBACK")
            raise

    def _begin_log_anew(self) -> None:
        """Move what the log holds to the database, so that the next try finds room in the log."""
        with suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)")

    def keep_reserve(self) -> None:
        """Have room in the database for a while: on a full disk one must be able to delete."""
        with self._writing, suppress(sqlite3.OperationalError):  # too late: it is full already
            [free] = self._connection.execute("PRAGMA freelist_count").fetchone()
            [page] = self._connection.execute("PRAGMA page_size").fetchone()
            if free * page >= RESERVE:
                return
            with self._transaction():
                self._connection.execute("CREATE TABLE reserve (room BLOB)")
                self._connection.execute("INSERT INTO reserve VALUES (zeroblob(?))", (2 * RESERVE,))
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # room that is on the disk
            with self._transaction():
                self._connection.execute("DROP TABLE reserve")

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()
        self._connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection that any thread may use, one at a time; transactions are begun by hand."""
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )


def _no_space() -> ToolError:
    return ToolError(
        "no_space",
        "There is no space left to write the change down; nothing was changed",
        errno="ENOSPC",
    )
