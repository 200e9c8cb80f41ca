"""What grows is bounded: old results, the ledger's file, lock files; in short steps."""

import asyncio
import itertools
import sqlite3
from contextlib import closing
from datetime import timedelta

from execution_environment.app import build
from execution_environment.archives.hash_cache import state_of
from execution_environment.ledger.ageing import STEP
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
            "INSERT INTO calls (id, digest, workspace, result, at)"
            " VALUES (?, 'd', 'local/demo', zeroblob(?), 0)",
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


async def maintained_until_a_head_is_noted(parts):
    """Let the maintenance go on, in quick time, until the ledger knows of one line of the trail."""
    maintenance = asyncio.create_task(
        parts.maintenance.run(parts.threads, timedelta(milliseconds=5))
    )
    async with asyncio.timeout(20):
        while [chain.head.seq for chain in parts._ledger.chains.known()] != [1]:
            await asyncio.sleep(0.01)
    maintenance.cancel()


async def test_a_service_notes_how_far_its_trail_has_come(parts):
    """Reads leave no intent: without this, a night of them could be cut off unnoticed."""
    await parts.executor.run(tool_call("list_directory"))
    await maintained_until_a_head_is_noted(parts)


async def test_maintenance_goes_on_after_it_failed(assemble, caplog):
    """A disk that was full for a moment must not end it for good."""

    def failing(path):
        ledger = Ledger(path)
        ledger.intents.open_renames = fail
        return ledger

    def fail():
        raise OSError("no luck")

    parts = assemble(make_ledger=failing)
    await parts.executor.run(tool_call("list_directory"))
    await maintained_until_a_head_is_noted(parts)
    await parts.close()
    assert "maintenance failed" in caplog.text


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


async def test_hashes_of_workspaces_that_are_gone_are_forgotten(parts, demo):
    """Nobody surveys those any more."""
    (demo / "f").write_bytes(b"1")
    state = state_of((demo / "f").stat(), None)
    for workspace in ("local/demo", "local/gone"):
        parts.hashes.note_all(workspace, [(state, "0" * 64)])
    parts.maintenance.run_now()
    assert parts.hashes.find_all("local/demo", [state]) == ["0" * 64]
    assert parts.hashes.find_all("local/gone", [state]) == [None]
