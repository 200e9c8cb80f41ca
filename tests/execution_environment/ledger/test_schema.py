"""The data directory's format: an older one is taken over, a newer one refused and left alone."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from common.errors import AgenticError
from execution_environment.app import build, main
from execution_environment.audit import verifier
from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.chains import read_chains
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.schema import FORMAT, UnknownFormat
from execution_environment.settings import Settings
from tests.execution_environment.conftest import asked, tool_call
from tests.execution_environment.transactions.crashes import die_at, own_records

FORMAT_1 = """
CREATE TABLE calls (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL, workspace TEXT NOT NULL, process TEXT NOT NULL,
    result TEXT, failure TEXT, renames TEXT, record TEXT, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX calls_unsettled ON calls (workspace) WHERE renames IS NOT NULL;
CREATE INDEX calls_by_time ON calls (at);
CREATE TABLE fences (
    session TEXT PRIMARY KEY, fence INTEGER NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE runs (
    run TEXT PRIMARY KEY, step INTEGER NOT NULL, call INTEGER NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE usage (
    workspace TEXT PRIMARY KEY, size INTEGER NOT NULL, entries INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO calls (id, digest, workspace, process, at) VALUES ('abandoned', '', '', '', 2e9);
INSERT INTO calls VALUES ('done', 'd', 'local/demo', 'p1', NULL, NULL, '[]', '{record}', 2e9);
INSERT INTO calls VALUES ('lost', 'd', 'local/demo', 'p1', NULL, NULL, '[]', '{record}', 2e9);
"""
RECORD = {
    "id": "done", "fence": 1, "tool": "t", "arguments_sha256": "", "outcome": "executed",
    "context": {"request_id": "r"}, "duration_ms": 1,
}  # fmt: skip


@pytest.fixture
def old_data(data_dir):
    """What the first version has left: a tombstone, a trail, two changes of which one is on it."""
    state = data_dir / "state"
    state.mkdir()
    with closing(sqlite3.connect(state / "ledger.sqlite")) as ledger:
        ledger.executescript(FORMAT_1.format(record=json.dumps(RECORD | {"id": "lost"})))
    audit = AuditWriter(state / "audit", "p1", max_file=600)
    for record in (RECORD | {"id": "a"}, RECORD, RECORD | {"id": "z"}):
        audit.append(record)
    audit.close()
    return data_dir


async def test_data_of_the_first_format_is_taken_over(assemble, old_data):
    """Tombstones hold, the trail is guarded from now on, what is unsettled is on record once."""
    parts = assemble()
    with pytest.raises(AgenticError, match="call_expired"):
        await parts.executor.run(tool_call("create_directory", _id="abandoned", path="x"))
    assert (await parts.settler.settle(asked("abandoned"))).outcome == "not_executed"
    parts.maintenance.run_now()
    await parts.close()
    ledger = old_data / "state" / "ledger.sqlite"
    lines = "".join(path.read_text() for path in sorted(parts.audit_dir.iterdir())).splitlines()
    found = [json.loads(line) for line in lines if '"tool":"t"' in line]
    assert [(record["id"], record.get("settled")) for record in found] == [
        ("a", None), ("done", None), ("z", None), ("lost", True),
    ]  # fmt: skip
    old, _ = verifier.verify(parts.audit_dir, read_chains(ledger))
    assert old.seq == 3
    for path in parts.audit_dir.glob("*-p1.*"):
        path.unlink()
    with pytest.raises(verifier.Tampered, match="-p1: the chain is missing"):
        verifier.verify(parts.audit_dir, read_chains(ledger))


def test_a_ledger_of_the_first_format_shrinks_from_now_on(old_data):
    """It was made so that its file never does, and is written anew once."""
    path = old_data / "state" / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.compact()
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        pragmas = [connection.execute(f"PRAGMA {name}").fetchone()[0]
                   for name in ("auto_vacuum", "user_version", "integrity_check")]  # fmt: skip
    assert pragmas == [2, FORMAT, "ok"]


BACK_TO_FORMAT_3 = """
CREATE TABLE old (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL, workspace TEXT NOT NULL, process TEXT NOT NULL,
    result TEXT, failure TEXT, renames TEXT, record TEXT, at REAL NOT NULL, trail TEXT, list TEXT
) WITHOUT ROWID;
INSERT INTO old SELECT calls.id, digest, calls.workspace, coalesce(process, ''), result, failure,
    renames, entry, at, trail, list
    FROM calls LEFT JOIN intents ON intents.id = calls.id;
DROP TABLE calls;
DROP TABLE intents;
ALTER TABLE old RENAME TO calls;
CREATE INDEX calls_unsettled ON calls (workspace) WHERE renames IS NOT NULL;
CREATE INDEX calls_by_time ON calls (at);
CREATE INDEX calls_by_workspace ON calls (workspace, at);
CREATE INDEX calls_with_list ON calls (list) WHERE list IS NOT NULL;
DROP TABLE usage;
CREATE TABLE usage (
    workspace TEXT PRIMARY KEY, size INTEGER NOT NULL, entries INTEGER NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = 3;
"""
BACK_TO_FORMAT_2 = f"""{BACK_TO_FORMAT_3}
DROP INDEX calls_with_list;
ALTER TABLE calls DROP COLUMN list;
PRAGMA user_version = 2;
"""


@pytest.mark.parametrize("older", [BACK_TO_FORMAT_2, BACK_TO_FORMAT_3], ids=["2", "3"])
async def test_data_of_an_older_format_is_taken_over(assemble, data_dir, demo, older):
    """What has happened is answered, what is under way completed, and the trail verified as before."""
    done = tool_call("write_file", _id="done", path="y", content="1")
    parts = assemble()
    first = await parts.executor.run(done)
    await parts.close()
    call = tool_call("write_file", _id="a", path="x", content="1")
    assert die_at(data_dir, call, "committed", 1) == -signal.SIGKILL
    ledger = data_dir / "state" / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection:
        connection.executescript(older)
    assert len(read_chains(ledger)) == 2
    parts = assemble()
    parts.maintenance.run_now()
    assert await parts.executor.run(done) == first.model_copy(update={"replayed": True})
    assert (await parts.executor.run(call)).replayed
    assert parts._ledger.usage.changed_at("local/demo") == pytest.approx(time.time(), abs=60)
    await parts.close()
    assert (demo / "x").read_text() == "1"
    assert own_records(data_dir, "a") == [True]
    assert len(read_chains(ledger)) == 3
    with closing(sqlite3.connect(ledger)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.fixture
def newer_data(data_dir):
    """What a later version may leave."""
    state = data_dir / "state"
    state.mkdir()
    (state / "audit").mkdir()
    with closing(sqlite3.connect(state / "ledger.sqlite")) as ledger:
        ledger.executescript(
            f"CREATE TABLE calls (all_new TEXT); PRAGMA user_version = {FORMAT + 1}"
        )
    return data_dir


def test_data_of_a_newer_format_is_refused_and_left_alone(newer_data, monkeypatch):
    """Its calls would go unrecorded, and nobody would know: one clear line instead."""
    ledger = newer_data / "state" / "ledger.sqlite"
    before = ledger.read_bytes()
    settings = Settings(data_dir=newer_data, service_token="secret", landlock="off")
    with pytest.raises(UnknownFormat):
        build(settings)
    for name in ("data_dir", "service_token", "landlock"):
        monkeypatch.setenv(f"EXEC_ENV_{name.upper()}", "secret" if name == "service_token" else str(getattr(settings, name)))  # fmt: skip
    message = f"its format is {FORMAT + 1}, and this program knows none above {FORMAT}"
    with pytest.raises(SystemExit, match=message):
        main()
    assert ledger.read_bytes() == before
    verified = subprocess.run(
        [sys.executable, "-m", "execution_environment", "verify-audit", newer_data],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (verified.returncode, verified.stdout) == (1, "")
    assert f"its format is {FORMAT + 1}" in verified.stderr


async def test_new_data_says_its_format(assemble, data_dir):
    """From the first start on, and every other start finds it."""
    for _ in range(2):
        await assemble().close()
    with closing(sqlite3.connect(data_dir / "state" / "ledger.sqlite")) as ledger:
        assert ledger.execute("PRAGMA user_version").fetchone() == (FORMAT,)
