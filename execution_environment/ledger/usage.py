"""How much each workspace takes up: counted once on the disk, then kept along with every change."""

import time
from sqlite3 import Connection

from execution_environment.ledger.database import Database
from execution_environment.sandbox.limits import Usage, require_room


class UsageCounts:
    """The count of every workspace, shared by all processes of the data directory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, workspace: str) -> Usage | None:
        """Return what a workspace takes up, None while it was not counted."""
        with self._database.reading() as connection:
            return _usage_of(connection, workspace)

    def start(self, workspace: str, usage: Usage) -> None:
        """Start to keep count of a workspace. Its lock is held."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO usage (workspace, size, entries) VALUES (?, ?, ?) ON CONFLICT (workspace)"
                " DO UPDATE SET size = excluded.size, entries = excluded.entries",
                (workspace, usage.size, usage.entries),
            )

    def forget(self) -> None:
        """Have every workspace counted anew: files may have come and gone beside the service."""
        with self._database.writing() as connection:
            connection.execute("UPDATE usage SET size = NULL, entries = NULL")

    def drop(self, workspace: str) -> None:
        """Forget one workspace, which is gone: the next change counts what is there then."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM usage WHERE workspace = ?", (workspace,))

    def changed_at(self, workspace: str) -> float | None:
        """Return when the last call changed a workspace, in seconds since the epoch; None for none."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT at FROM usage WHERE workspace = ?", (workspace,)
            ).fetchone()
        return None if row is None or row[0] is None else float(row[0])


def grow(connection: Connection, workspace: str, growth: Usage, quota: Usage) -> None:
    """Count what a change adds to its workspace; raise `quota_exceeded` where there is no room."""
    used = _usage_of(connection, workspace) or Usage(0, 0)
    if growth.size > 0:
        require_room("bytes", quota.size - used.size, growth.size)
    if growth.entries > 0:
        require_room("files and directories", quota.entries - used.entries, growth.entries)
    _change(connection, workspace, growth.size, growth.entries)


def shrink(connection: Connection, workspace: str, growth: Usage) -> None:
    """Take back what `grow` counted."""
    _change(connection, workspace, -growth.size, -growth.entries)


def uncount(connection: Connection, workspace: str) -> None:
    """Have a workspace counted anew, within a transaction."""
    connection.execute(
        "UPDATE usage SET size = NULL, entries = NULL WHERE workspace = ?", (workspace,)
    )


def _change(connection: Connection, workspace: str, size: int, entries: int) -> None:
    connection.execute(
        "UPDATE usage SET size = size + ?, entries = entries + ?, at = ? WHERE workspace = ?",
        (size, entries, time.time(), workspace),
    )


def _usage_of(connection: Connection, workspace: str) -> Usage | None:
    row = connection.execute(
        "SELECT size, entries FROM usage WHERE workspace = ? AND size IS NOT NULL", (workspace,)
    ).fetchone()
    return None if row is None else Usage(*row)
