"""One SQLite database for all processes of a data directory: what is committed survives a crash."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from common.errors import ToolError
from execution_environment.ledger import schema
from execution_environment.ledger.commits import Commits

T = TypeVar("T")
BUSY_TIMEOUT = 30.0
"""Seconds that a process waits while another one writes."""
RESERVE = 1024 * 1024
"""Bytes that are kept free in the database."""
LOG_LIMIT = 8 * 1024 * 1024
"""Bytes that the write-ahead log is cut back to once all of it is in the database."""
SHRUNK = 1024 * 1024
"""Bytes that are given back to the disk in one go."""
COMPACT = 32 * 1024 * 1024
"""Bytes in use up to which a database that cannot shrink is written anew: it is held in memory."""


class Database:
    """Two connections that the threads of this process take turns with.

    One reads and one writes, so that a lookup never waits for a write to reach the disk.
    """

    def __init__(self, path: Path) -> None:
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._commits = Commits(self.writing)
        self._connection = connect(path)
        try:
            self._prepare(path)
        except BaseException:
            self._connection.close()
            raise
        self._page = self._pragma("page_size")
        self._reader = connect(path)
        self._reader.execute("SELECT 1 FROM calls LIMIT 1").fetchone()  # opens what it needs

    def _prepare(self, path: Path) -> None:
        found = schema.format_of(self._connection)  # nothing is touched before it is known
        self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has effect on a new one
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
        self._connection.execute("PRAGMA temp_store = MEMORY")  # other directories are walled off
        with self._transaction():
            self._connection.execute("DROP TABLE IF EXISTS reserve")
            if found < schema.FORMAT:
                schema.bring_up(self._connection, path.parent / "audit")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the reader for single statements: it sees what has been committed."""
        with self._reading:
            yield self._reader

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work in a transaction that it may share with others, as `Commits.run` does."""
        return self._commits.run(work)

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
            self._refill_reserve()

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
        with self._writing:
            self._refill_reserve()

    def _refill_reserve(self) -> None:
        # What was committed stays so, whatever it is: a failure here would have it done again.
        with suppress(Exception):  # it is full already, mostly
            if self._pragma("freelist_count") * self._page >= RESERVE:
                return
            with self._transaction():
                self._connection.execute("CREATE TABLE reserve (room BLOB)")
                self._connection.execute("INSERT INTO reserve VALUES (zeroblob(?))", (2 * RESERVE,))
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # room that is on the disk
            with self._transaction():
                self._connection.execute("DROP TABLE reserve")

    def shrink(self) -> bool:
        """Give some pages back to the disk, but for the reserve; tell whether there are more."""
        with self._writing, suppress(sqlite3.OperationalError):  # no room to move pages in
            free = self._pragma("freelist_count")
            spare = min(free - 2 * RESERVE // self._page, SHRUNK // self._page)
            if spare > 0:
                # a script takes all its steps: an ordinary statement without columns, only one
                self._connection.executescript(f"PRAGMA incremental_vacuum({spare})")
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            return self._pragma("freelist_count") < free
        return False

    def compact(self) -> None:
        """Let a database that format 1 has made shrink from now on. Nobody else has it open."""
        used = (self._pragma("page_count") - self._pragma("freelist_count")) * self._page
        if self._pragma("auto_vacuum") == 0 and used <= COMPACT:
            with suppress(sqlite3.OperationalError):  # no room for a second one beside it
                self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                self._connection.execute("VACUUM")

    def _pragma(self, name: str) -> int:
        [value] = self._connection.execute(f"PRAGMA {name}").fetchone()
        return int(value)

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
