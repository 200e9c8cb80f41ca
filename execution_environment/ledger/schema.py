"""The ledger's tables, and the format of the data directory that they belong to.

The format is the ledger's `user_version`: it changes with the tables in one transaction, and is
looked at when a process opens the ledger. Older ones are taken over: format 1, which had no number
and knew no chains, format 2, which knew no lists of changes, and format 3, which kept what is still
to be done in the rows of the calls.
"""

from contextlib import suppress
from pathlib import Path
from sqlite3 import Connection

from execution_environment.audit.chain import GENESIS, Head, chains_in, last_head

FORMAT = 4
"""What this program writes, and the newest that it can read."""
CHAINS_SINCE = 2
"""The first format that has the audit trail's chains."""
_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    workspace TEXT NOT NULL,
    result TEXT,
    failure TEXT,
    list TEXT,
    at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_by_time ON calls (at);
CREATE INDEX IF NOT EXISTS calls_with_list ON calls (list) WHERE list IS NOT NULL;
CREATE TABLE IF NOT EXISTS intents (
    workspace TEXT NOT NULL,
    id TEXT NOT NULL,
    process TEXT NOT NULL,
    renames TEXT NOT NULL,
    entry TEXT NOT NULL,
    trail TEXT,
    PRIMARY KEY (workspace, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS abandoned (
    id TEXT PRIMARY KEY, session TEXT, fence INTEGER, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS abandoned_by_time ON abandoned (at);
CREATE TABLE IF NOT EXISTS fences (
    session TEXT PRIMARY KEY, fence INTEGER NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fences_by_time ON fences (at);
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, step INTEGER NOT NULL, call INTEGER NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (at);
CREATE TABLE IF NOT EXISTS usage (
    workspace TEXT PRIMARY KEY, size INTEGER, entries INTEGER, at REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserved (
    workspace TEXT NOT NULL, process TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (workspace, process)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chains (
    chain TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    removed_seq INTEGER NOT NULL,
    removed_hash TEXT NOT NULL
) WITHOUT ROWID;
"""
_MAKE_WAY = """
ALTER TABLE calls RENAME TO old_calls;
DROP INDEX IF EXISTS calls_by_time;
DROP INDEX IF EXISTS calls_with_list;
DROP TABLE usage;
"""
_COPY = """
INSERT INTO calls (id, digest, workspace, result, failure, list, at)
    SELECT id, digest, workspace, result, failure, list, at FROM old_calls ORDER BY at;
INSERT INTO intents SELECT workspace, id, process, renames, record, trail FROM old_calls
    WHERE renames IS NOT NULL;
INSERT INTO usage SELECT workspace, NULL, NULL, max(at) FROM old_calls
    WHERE workspace != '' GROUP BY workspace;
DROP TABLE old_calls;
"""


class UnknownFormat(Exception):  # reads as the state it is
    """A newer program has written the data; the message says so."""


def format_of(connection: Connection) -> int:
    """Return the format of the tables, 0 for none; raise UnknownFormat of a newer one."""
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise UnknownFormat(
            f"its format is {version}, and this program knows none above {FORMAT}:"
            " start the program that wrote it, or a newer one"
        )
    if version == 0:
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone()
        return 0 if found is None else 1
    return int(version)


def bring_up(connection: Connection, audit_dir: Path) -> None:
    """Make the tables, or take those of an older format over, within a transaction."""
    before = format_of(connection)
    if before == FORMAT:  # another process was quicker
        return
    if before == 1:
        connection.execute("ALTER TABLE calls ADD COLUMN trail TEXT")
    if before in (1, 2):
        connection.execute("ALTER TABLE calls ADD COLUMN list TEXT")
    _run(connection, _MAKE_WAY if before else "", _TABLES, _COPY if before else "")
    if before == 1:
        _take_over(connection, audit_dir)
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _run(connection: Connection, *scripts: str) -> None:
    """Run scripts within a transaction, which `executescript` would end."""
    for statement in "".join(scripts).split(";"):
        connection.execute(statement)


def _take_over(connection: Connection, audit_dir: Path) -> None:
    """Give tombstones the table of their own, and note the chains that nobody has noted."""
    connection.execute(
        "INSERT INTO abandoned SELECT id, NULL, NULL, at FROM calls WHERE digest = ''"
    )
    connection.execute("DELETE FROM calls WHERE digest = ''")
    for chain, files in chains_in(audit_dir):
        head = Head(chain)
        for path in files:
            with suppress(ValueError):  # damaged: the proof names the line
                head = last_head(path) or head
        connection.execute(
            "INSERT INTO chains VALUES (?, ?, ?, 0, ?)", (chain, head.seq, head.hash, GENESIS)
        )
        connection.execute(
            "UPDATE intents SET trail = ? WHERE process = ?",
            (f"{chain}:0", chain.rpartition("-")[2]),
        )
