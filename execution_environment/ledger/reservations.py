"""What calls under way have staged for each workspace, known to all processes of the directory.

Each call is held to what its workspace has room for; together, many could stage far more than that.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from common.errors import ToolError
from execution_environment.ledger.database import connect


class Reservations:
    """One process's reservations, in the ledger's database, but not durable: all end with it.

    Sizes are bytes.
    """

    def __init__(self, path: Path, process: str) -> None:
        """`path` is the ledger's, which has made its tables."""
        self._process = process
        self._turn = threading.Lock()
        self._connection = connect(path)
        self._connection.execute("PRAGMA synchronous = NORMAL")  # survives processes, costs no sync

    def change(self, workspace: str, size: int, limit: int) -> None:
        """Reserve so much more for a workspace; less than none gives it back.

        Raises `quota_exceeded` when all processes together would have more than `limit`.
        """
        with self._turn, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            [taken] = self._connection.execute(
                "SELECT coalesce(sum(size), 0) FROM reserved WHERE workspace = ?", (workspace,)
            ).fetchone()
            if size > 0 and taken + size > limit:
                raise _no_room(limit - taken, size)
            self._connection.execute(
                "INSERT INTO reserved VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET size = size + excluded.size",
                (workspace, self._process, size),
            )
            self._connection.execute("DELETE FROM reserved WHERE size <= 0")

    def forget(self, has_ended: Callable[[str], bool]) -> None:
        """Give back what processes that died have left."""
        with self._turn, self._connection:
            rows = self._connection.execute("SELECT DISTINCT process FROM reserved").fetchall()
            ended = [row for row in rows if has_ended(row[0])]
            self._connection.executemany("DELETE FROM reserved WHERE process = ?", ended)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _no_room(left: int, size: int) -> ToolError:
    return ToolError(
        "quota_exceeded",
        "Other calls that are under way have staged as much as the workspace may hold",
        hint="Try again when they have ended.",
        limit=max(left, 0),
        actual=size,
    )
