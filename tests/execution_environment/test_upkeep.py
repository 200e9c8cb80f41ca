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
from execution_environment.settings import Settings
from execution_environment.state import proof
from execution_environment.state.ageing import STEP
from execution_environment.state.audit import Audit
from execution_environment.state.ledger import Ledger
from execution_environment.state.locks import WorkspaceLocks
from execution_environment.upkeep import Ages, Upkeep
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
    left = [OLD, *(count(data_dir) for _ in parts.upkeep.steps())]
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
    parts.tidy()
    await parts.executor.run(tool_call("create_directory", path="x"))
    assert files[0].stat().st_size < 6 * MIB
    assert files[1].stat().st_size <= 8 * MIB
    assert files[0].stat().st_size > 1 * MIB


# Heads


async def test_a_service_notes_how_far_its_trail_has_come(parts):
    """Reads leave no intent: without this, a night of them could be cut off unnoticed."""
    await parts.executor.run(tool_call("list_directory"))
    upkeep = asyncio.create_task(parts.upkeep.run(parts.pool, timedelta(milliseconds=5)))
    async with asyncio.timeout(20):
        while [chain.head.seq for chain in parts._ledger.chains.known()] != [1]:
            await asyncio.sleep(0.01)
    upkeep.cancel()


async def test_upkeep_goes_on_after_it_failed(assemble, capsys):
    """A disk that was full for a moment must not end it for good."""

    class Failing(Ledger):
        def unsettled_places(self):
            """Fail."""
            raise OSError("no luck")

    parts = assemble(make_ledger=Failing)
    await parts.executor.run(tool_call("list_directory"))
    upkeep = asyncio.create_task(parts.upkeep.run(parts.pool, timedelta(milliseconds=5)))
    async with asyncio.timeout(20):
        while [chain.head.seq for chain in parts._ledger.chains.known()] != [1]:
            await asyncio.sleep(0.01)
    upkeep.cancel()
    await parts.close()
    assert "upkeep failed" in capsys.readouterr().out


# Audit files


@pytest.fixture
def aged(parts):
    """Upkeep that keeps audit files for an hour, over a trail of three processes.

    Two of them have ended, days ago; the last one lives, and the first file of it is as old.
    """
    tell = parts._ledger.chains.note
    living = parts.sandbox.mover.staging.process
    chains = [Audit(parts.audit_dir, name, 1500, tell) for name in ("ended1", "ended2", living)]
    for audit in chains:
        for number in range(20):
            audit.append({"id": "a", "outcome": "executed", "context": {"n": number}})
    [own] = [path for path in parts.audit_dir.iterdir() if path.stat().st_size == 0]
    own.unlink()
    last = max(parts.audit_dir.glob(f"*-{living}.*"))
    for path in parts.audit_dir.iterdir():
        os.utime(path, (0, 0))
    yield Upkeep(
        parts.sandbox, parts._ledger, parts._locks, parts._committer, parts.audit, parts.audit_dir,
        Ages(timedelta(days=1), timedelta(hours=1)),
    ), last  # fmt: skip
    for audit in chains:
        audit.close()


def verify(parts):
    """Verify the trail against the ledger."""
    return proof.verify(parts.audit_dir, proof.chains_of(parts.audit_dir.parent / "ledger.sqlite"))


def test_old_audit_files_are_removed_and_not_missed(parts, aged):
    """Never the one that a live process writes to; what is left is still proven to be whole."""
    upkeep, last = aged
    before = verify(parts)
    assert len(list(parts.audit_dir.iterdir())) > 6
    parts.tidy()
    assert len(list(parts.audit_dir.iterdir())) > 6  # the control: by default they stay
    for _ in upkeep.steps():
        pass
    assert list(parts.audit_dir.iterdir()) == [last]
    assert verify(parts) == before
    lines = last.read_text().splitlines(keepends=True)
    assert len(lines) > 1
    last.write_text("".join(lines[1:]))
    with pytest.raises(proof.Tampered, match="of the chain is missing before it"):
        verify(parts)


def test_what_is_younger_or_needed_stays(parts, aged):
    """A file is as young as its last record; an unsettled change may have its record in one."""
    upkeep, _ = aged
    files = sorted(parts.audit_dir.glob("*-ended1.*"))
    os.utime(files[1])
    chain = min(parts.audit_dir.glob("*-ended2.*")).name.partition(".")[0]
    ledger = parts.audit_dir.parent / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute(
            "INSERT INTO calls (id, digest, workspace, process, renames, at, trail)"
            " VALUES ('c', 'd', 'local/busy', 'p', '[]', 0, ?)", (f"{chain}:0",),
        )  # fmt: skip
    with parts._locks.tried("local/busy"):
        for _ in upkeep.steps():
            pass
    assert sorted(parts.audit_dir.glob("*-ended1.*")) == files[1:]
    assert len(list(parts.audit_dir.glob("*-ended2.*"))) > 2
    verify(parts)
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("DELETE FROM calls WHERE id = 'c'")


def test_a_removal_that_is_cut_short_is_no_tampering(parts, aged):
    """Between noting a file as removed and removing it the process may die; one later goes on."""
    upkeep, last = aged
    kept = {path: path.read_bytes() for path in parts.audit_dir.iterdir()}
    for _ in upkeep.steps():
        pass
    files = sorted(path for path in kept if "-ended1" in path.name)
    for path in files[1:]:
        path.write_bytes(kept[path])
        os.utime(path, (0, 0))
    verify(parts)
    files[2].unlink()
    with pytest.raises(proof.Tampered):
        verify(parts)
    files[2].write_bytes(kept[files[2]])
    os.utime(files[2], (0, 0))
    for _ in upkeep.steps():
        pass
    assert list(parts.audit_dir.iterdir()) == [last]


# Lock files


async def test_lock_files_go_with_their_workspaces(parts, data_dir):
    """A refused change of a workspace that never came to be leaves one as well."""
    locks = data_dir / "state" / "locks"
    await parts.executor.run(tool_call("create_directory", path="x"))
    for name in ("local.gone", "local.busy"):
        (locks / name).touch()
    with parts._locks.tried("local/busy"):
        parts.tidy()
        assert sorted(path.name for path in locks.iterdir()) == ["local.busy", "local.demo"]
    parts.tidy()
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
