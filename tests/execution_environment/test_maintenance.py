"""What grows is bounded: old results, the ledger's file, audit files, lock files; in short steps."""

import asyncio
import itertools
import os
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from execution_environment.app import build
from execution_environment.audit import verifier
from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.ageing import STEP
from execution_environment.ledger.chains import read_chains
from execution_environment.ledger.ledger import Ledger
from execution_environment.settings import Settings
from execution_environment.transactions.locks import WorkspaceLocks
from tests.execution_environment.conftest import tool_call

OLD = 8 * STEP + 1
MIB = 1024 * 1024


def fill(data_dir, size=0):
    """Put results into the ledger that are long forgotten elsewhere."""
    with closing(sqlite3.connect(data_dir / "state" / "ledger.sqlite")) as ledger, ledger:
        ledger.executemany(
            "INSERT INTO calls (id, digest, workspace, process, result, at)"
            " VALUES (?, 'd', 'local/demo', 'p', zeroblob(?), 0)",
            ((f"old-{number}", size) for number in range(OLD)),
        )


def count(data_dir) -> int:
    """Return how many results there are."""
    with closing(sqlite3.connect(data_dir / "state" / "ledger.sqlite")) as ledger:
        [found] = ledger.execute("SELECT count(*) FROM calls").fetchone()
        return int(found)


async def test_old_results_are_forgotten_in_short_steps(parts, data_dir):
    """One transaction over 250,000 of them held up every change for as long."""
    fill(data_dir)
    left = [OLD, *(count(data_dir) for _ in parts.maintenance.steps())]
    assert left[-1] == 0
    assert max(before - after for before, after in itertools.pairwise(left)) == STEP


async def test_a_service_with_much_to_forget_serves_at_once(assemble, data_dir):
    """It took 19 s until the first request was answered."""
    await assemble().close()
    fill(data_dir)
    app = build(Settings(data_dir=data_dir, service_token="secret"))
    async with app.router.lifespan_context(app), asyncio.timeout(30):
        assert count(data_dir) >= OLD - STEP
        while count(data_dir) > 0:
            await asyncio.sleep(0.01)


async def test_the_room_of_what_was_forgotten_goes_back_to_the_disk(parts, data_dir):
    """But for what is kept for a full disk; the log is cut back as well."""
    fill(data_dir, size=15_000)
    files = [data_dir / "state" / name for name in ("ledger.sqlite", "ledger.sqlite-wal")]
    assert files[0].stat().st_size + files[1].stat().st_size > 20 * MIB
    parts.maintenance.run_now()
    await parts.executor.run(tool_call("create_directory", path="x"))
    assert files[0].stat().st_size < 6 * MIB
    assert files[1].stat().st_size <= 8 * MIB
    assert files[0].stat().st_size > 1 * MIB


# Heads


async def test_a_service_notes_how_far_its_trail_has_come(parts):
    """Reads leave no intent: without this, a night of them could be cut off unnoticed."""
    await parts.executor.run(tool_call("list_directory"))
    maintenance = asyncio.create_task(
        parts.maintenance.run(parts.threads, timedelta(milliseconds=5))
    )
    async with asyncio.timeout(20):
        while [chain.head.seq for chain in parts._ledger.chains.known()] != [1]:
            await asyncio.sleep(0.01)
    maintenance.cancel()


async def test_upkeep_goes_on_after_it_failed(assemble, capsys):
    """A disk that was full for a moment must not end it for good."""

    def failing(path):
        ledger = Ledger(path)
        ledger.intents.open_renames = fail
        return ledger

    def fail():
        raise OSError("no luck")

    parts = assemble(make_ledger=failing)
    await parts.executor.run(tool_call("list_directory"))
    maintenance = asyncio.create_task(
        parts.maintenance.run(parts.threads, timedelta(milliseconds=5))
    )
    async with asyncio.timeout(20):
        while [chain.head.seq for chain in parts._ledger.chains.known()] != [1]:
            await asyncio.sleep(0.01)
    maintenance.cancel()
    await parts.close()
    assert "maintenance failed" in capsys.readouterr().out


# Audit files


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


def test_what_is_younger_or_needed_stays(aged, data_dir):
    """A file is as young as its last record; an unsettled change may have its record in one."""
    young, needed = files_of(aged, "ended1"), files_of(aged, "ended2")
    os.utime(young[1])
    with closing(sqlite3.connect(data_dir / "state" / "ledger.sqlite")) as ledger, ledger:
        ledger.execute(
            "INSERT INTO calls (id, digest, workspace, process, renames, at, trail)"
            " VALUES ('c', 'd', 'local/busy', 'p', '[]', 0, ?)",
            (f"{needed[0].name.partition('.')[0]}:0",),
        )
    with WorkspaceLocks(data_dir / "state/locks").tried("local/busy"):
        aged.maintenance.run_now()
    assert (files_of(aged, "ended1"), files_of(aged, "ended2")) == (young[1:], needed)
    verify(aged)
    with closing(sqlite3.connect(data_dir / "state" / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("DELETE FROM calls WHERE id = 'c'")


def test_a_removal_that_is_cut_short_is_no_tampering(aged):
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


# Lock files


async def test_lock_files_go_with_their_workspaces(parts, data_dir):
    """A refused change of a workspace that never came to be leaves one as well."""
    locks = data_dir / "state" / "locks"
    await parts.executor.run(tool_call("create_directory", path="x"))
    for name in ("local.gone", "local.busy"):
        (locks / name).touch()
    with WorkspaceLocks(data_dir / "state/locks").tried("local/busy"):
        parts.maintenance.run_now()
        assert sorted(path.name for path in locks.iterdir()) == ["local.busy", "local.demo"]
    parts.maintenance.run_now()
    assert [path.name for path in locks.iterdir()] == ["local.demo"]


async def test_who_waited_for_a_lock_whose_file_was_removed_holds_the_new_one(tmp_path):
    """Two would be inside at once: one with the old file's lock, one with the new file's."""
    locks, others = WorkspaceLocks(tmp_path), WorkspaceLocks(tmp_path)
    file, entered, leave = tmp_path / "a.b", asyncio.Event(), asyncio.Event()

    async def wait_and_hold():
        async with others.held("a/b", time.monotonic() + 30):
            entered.set()
            await leave.wait()

    with locks.tried("a/b") as is_held:
        assert is_held
        waiter = asyncio.create_task(wait_and_hold())
        while _opened(file) < 2:
            await asyncio.sleep(0.001)
        file.unlink()
    async with asyncio.timeout(10):
        await entered.wait()
    with locks.tried("a/b") as is_held:
        assert not is_held
    leave.set()
    await waiter


def _opened(file: Path) -> int:
    fds = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return [os.readlink(fd) for fd in fds if os.path.lexists(fd)].count(str(file))
