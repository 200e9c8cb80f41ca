"""A database that may be lost at any time: one that fails is removed and begun anew, or done without.

It has no log and no memory shared between processes: a file that somebody cuts short would end a
process that has it mapped. Nothing of it is ever synced.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from common.logs import get_logger

T = TypeVar("T")
TRIES = 2
"""As it is, and begun anew."""
REST = 10.0
"""Seconds that a database is left alone which fails all the same."""
BUSY_TIMEOUT = 1.0
"""Seconds that another process is waited for."""
MAX_PAGES = 64 * 1024
"""Of 4 KiB: a database that would outgrow them is begun anew."""
log = get_logger(__name__)


class CacheFile:
    """One connection that the threads of this process take turns with."""

    def __init__(self, path: Path, tables: str) -> None:
        """Nothing is opened before it is needed; `tables` is the statement that makes them."""
        self._path = path
        self._tables = tables
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._rests_until = 0.0

    def rows(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return what a query finds; nothing when the database fails, or is not made yet."""
        if not _inode_of(self._path):
            return []
        return self._use(lambda connection: connection.execute(query, values).fetchall(), [])

    def write(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Do this for each of the rows, all at once; or not at all when the database fails."""

        def work(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(statement, rows)

        if rows:
            self._use(work, None)

    def close(self) -> None:
        """Close it."""
        with self._turn:
            self._close()

    def _use(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        with self._turn:
            for _ in range(TRIES if time.monotonic() >= self._rests_until else 0):
                try:
                    found = work(self._opened())
                except sqlite3.Error as failure:
                    if _is_busy(failure):
                        break
                    log.warning("a cache is begun anew", path=str(self._path), reason=str(failure))
                    self._close()
                    remove(self._path)
                    self._rests_until = time.monotonic() + REST
                else:
                    self._rests_until = 0.0
                    return found
            return otherwise

    def _opened(self) -> sqlite3.Connection:
        """Return the connection to the file that is there now: it may have been removed."""
        if self._connection is not None and _inode_of(self._path) == self._inode:
            return self._connection
        self._close()
        self._connection = connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        for setting in ("journal_mode = TRUNCATE", "synchronous = OFF", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute(f"PRAGMA max_page_count = {MAX_PAGES}")
        connection.execute(self._tables)
        self._inode = _inode_of(self._path)
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def remove(path: Path) -> None:
    """Remove a cache, whoever has it open; where that cannot be done, it stays."""
    for part in (path.with_name(f"{path.name}-journal"), path):
        with suppress(OSError):  # a directory that cannot be written, or nothing there
            part.unlink()


def _is_busy(failure: sqlite3.Error) -> bool:
    """Tell whether another process kept the database, with which nothing is wrong then."""
    code = getattr(failure, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # Python's own have none
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _inode_of(path: Path) -> int:
    with suppress(OSError):
        return os.stat(path).st_ino
    return 0
