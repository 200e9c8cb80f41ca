"""Old audit files go, and what is left is still proven to be whole."""

import os
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from execution_environment.audit import verifier
from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.chains import read_chains
from execution_environment.transactions.locks import WorkspaceLocks


@pytest.fixture
async def aged(assemble):
    """A service that keeps audit files for an hour, over the trail of three processes, days old.

    Two of them have ended; the third one lives, and writes to its last file still.
    """
    parts = assemble(audit_retention=timedelta(hours=1))
    living = parts.sandbox.renamer.staging.process
    for name in ("ended1", "ended2", living):
        audit = AuditWriter(parts.audit_dir, name, 1500, parts._ledger.chains.note)
        for number in range(20):
            audit.append({"id": "a", "outcome": "executed", "context": {"n": number}})
        audit.close()
    for path in parts.audit_dir.iterdir():
        os.utime(path, (0, 0))
    yield parts
    await parts.close()


def files_of(parts, name=""):
    """Return the audit files of a process, those that hold something."""
    found = sorted(parts.audit_dir.glob(f"*-{name}*.jsonl"))
    return [path for path in found if path.stat().st_size > 0]


def verify(parts):
    """Verify the trail against the ledger."""
    return verifier.verify(parts.audit_dir, read_chains(parts.audit_dir.parent / "ledger.sqlite"))


async def test_old_audit_files_are_removed_and_not_missed(assemble, aged):
    """Never the one that a live process writes to; what is left is still proven to be whole."""
    before, files = verify(aged), files_of(aged)
    other = assemble()
    other.maintenance.run_now()
    await other.close()
    assert files_of(aged) == files  # the control: by default they stay
    assert len(files) > 6
    aged.maintenance.run_now()
    [last] = files_of(aged)
    assert last == files_of(aged, aged.sandbox.renamer.staging.process)[-1]
    assert {head for head in verify(aged) if head.seq} == {head for head in before if head.seq}
    lines = last.read_text().splitlines(keepends=True)
    assert len(lines) > 1
    last.write_text("".join(lines[1:]))
    with pytest.raises(verifier.Tampered, match="of the chain is missing before it"):
        verify(aged)


def test_audit_files_that_are_younger_or_needed_stay(aged, data_dir):
    """A file is as young as its last record; an unsettled change may have its record in one."""
    young, needed = files_of(aged, "ended1"), files_of(aged, "ended2")
    os.utime(young[1])
    with closing(sqlite3.connect(data_dir / "state" / "ledger.sqlite")) as ledger, ledger:
        ledger.execute(
            "INSERT INTO calls (id, digest, workspace, at) VALUES ('c', 'd', 'local/busy', 0)"
        )
        ledger.execute(
            "INSERT INTO intents VALUES ('local/busy', 'c', 'p', '[]', '{}', ?)",
            (f"{needed[0].name.partition('.')[0]}:0",),
        )
    with WorkspaceLocks(data_dir / "state/locks").tried("local/busy"):
        aged.maintenance.run_now()
    assert (files_of(aged, "ended1"), files_of(aged, "ended2")) == (young[1:], needed)
    verify(aged)
    with closing(sqlite3.connect(data_dir / "state" / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("DELETE FROM intents WHERE id = 'c'")


def test_a_removal_of_audit_files_that_is_cut_short_is_no_tampering(aged):
    """Between noting a file as removed and removing it the process may die; one later goes on."""
    kept = {path: path.read_bytes() for path in files_of(aged, "ended1")}
    aged.maintenance.run_now()

    def put_back(path):
        path.write_bytes(kept[path])
        os.utime(path, (0, 0))

    _, *files = kept
    for path in files:
        put_back(path)
    verify(aged)
    files[1].unlink()
    with pytest.raises(verifier.Tampered):
        verify(aged)
    put_back(files[1])
    aged.maintenance.run_now()
    assert files_of(aged, "ended1") == []
    verify(aged)
