"""What a crash left is completed by whoever comes next, and files of others stay where they are."""

import errno
import fcntl
import json
import os
import signal
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from common.errors import SystemFault
from execution_environment.ledger.ledger import Ledger
from execution_environment.transactions.locks import WorkspaceLocks
from tests.execution_environment.conftest import asked, tool_call
from tests.execution_environment.transactions.crashes import die_at, own_records

OTHERS = "what another program has made\n"
TRIES = 200


@pytest.mark.parametrize("step", ["committed", "renamed"])
async def test_the_next_caller_completes_a_change_that_was_cut_short(
    assemble, data_dir, filled, step
):
    """Another change of the same file builds on it; the retry afterwards changes nothing."""
    call = tool_call("append_file", _id="first", path="file", content="first\n")
    assert die_at(data_dir, call, step, 1) == -signal.SIGKILL
    parts = assemble()
    await parts.executor.run(tool_call("append_file", path="file", content="second\n"))
    assert (await parts.executor.run(call)).replayed
    assert (filled / "file").read_text() == "old\nfirst\nsecond\n"
    await parts.close()


async def test_recovery_finds_a_record_however_much_was_written_after_it(
    assemble, data_dir, filled
):
    """A process lived on for long after its change, and died before it noted the change as done."""
    dead = assemble()
    await dead.executor.run(tool_call("append_file", _id="a", path="file", content="1\n"))
    other = {"allowed_paths_root": "local/demo2"}
    await dead.executor.run(tool_call("list_directory", other))
    filler = {
        "id": "b",
        "outcome": "executed",
        "tool": "t",
        "context": {"request_id": "x" * 100_000},
    }
    for _ in range(20):
        dead.audit.append(filler)
    fcntl.flock(dead.sandbox.renamer.staging.descriptor, fcntl.LOCK_UN)  # what a death does
    parts = assemble()
    parts.maintenance.run_now()
    assert own_records(data_dir, "a") == [False]
    await parts.close()
    await dead.close()


async def test_a_recovery_that_is_cut_short_puts_a_change_on_record_once(
    assemble, data_dir, filled
):
    """Whoever settles may die as well, between the record and noting that it is written."""

    def dying(path):
        ledger = Ledger(path)
        ledger.intents.close = die
        return ledger

    def die(ids):
        raise OSError("dead")

    call = tool_call("append_file", _id="a", path="file", content="1\n")
    assert die_at(data_dir, call, "renamed", 1) == -signal.SIGKILL
    for _ in range(2):
        second = assemble(make_ledger=dying)
        with pytest.raises(OSError, match="dead"):
            second.maintenance.run_now()
        await second.close()
    parts = assemble()
    parts.maintenance.run_now()
    await parts.close()
    assert own_records(data_dir, "a") == [True]


async def test_a_change_that_cannot_be_completed_says_so(assemble, data_dir, filled):
    """A program beside the service took the place after the crash: unknown, for every retry."""
    call = tool_call("write_file", _id="a", path="a/b/new", content="1")
    assert die_at(data_dir, call, "committed", 1) == -signal.SIGKILL
    (filled / "a").mkdir()
    parts = assemble()
    for _ in range(2):
        with pytest.raises(SystemFault) as caught:
            await parts.executor.run(call)
        assert (caught.value.code, caught.value.outcome) == ("internal", "unknown")
    with pytest.raises(SystemFault):
        await parts.settler.settle(asked("a"))
    await parts.executor.run(tool_call("write_file", path="b", content="1"))
    parts.maintenance.run_now()
    await parts.close()


@pytest.fixture
def file(demo):
    """A file that will be deleted."""
    (demo / "file").write_text("mine\n")
    return demo / "file"


def delete(call_id="deletion"):
    """Return a call that deletes it."""
    return tool_call("delete_path", _id=call_id, path="file")


def put_in_place(file, inode):
    """Make a file of another program's, under the inode that was freed where that can be had."""
    for number in range(TRIES):
        other = file.with_name(f"other{number}")
        other.write_text(OTHERS)
        if other.stat().st_ino == inode:
            break
    other.rename(file)


@pytest.mark.parametrize("step", ["renamed", "applied"])
async def test_recovery_leaves_alone_what_others_made_in_a_place(assemble, data_dir, file, step):
    """The deletion had happened; the file that is there now has at most its inode."""
    inode = file.stat().st_ino
    assert die_at(data_dir, delete(), step, 1) == -signal.SIGKILL
    for left in (data_dir / "state/staging").glob("*/*"):
        left.unlink()
    put_in_place(file, inode)
    parts = assemble()
    assert (await parts.executor.run(delete())).replayed
    await parts.executor.run(tool_call("write_file", path="x", content="1"))
    parts.maintenance.run_now()
    await parts.close()
    assert file.read_text() == OTHERS


async def test_changes_of_a_living_process_are_never_made_again(assemble, parts, demo, file):
    """It has made them, and not said so yet. The very same file is back here: by another name."""
    os.link(file, demo / "kept")
    await parts.executor.run(delete())
    os.link(demo / "kept", file)
    second = assemble()
    second.maintenance.run_now()
    await second.executor.run(tool_call("write_file", path="x", content="1"))
    await second.executor.run(delete())
    await second.close()
    assert file.read_text() == "mine\n"


async def test_a_change_that_a_living_process_could_not_complete_is_completed_by_another(
    assemble, parts, demo
):
    """It lets go of a change that failed in the middle; the next caller finds it and goes on."""

    def fail(step):
        if step == "renamed":
            raise OSError(errno.EIO, "the disk answers no more")

    first = assemble(observe=fail)
    call = tool_call("move_path", _id="a", source="file", destination="new/file")
    (demo / "file").write_text("mine\n")
    with pytest.raises(OSError, match="no more"):
        await first.executor.run(call)
    assert (demo / "new").is_dir()
    await parts.executor.run(tool_call("write_file", path="x", content="1"))
    assert (demo / "new/file").read_text() == "mine\n"
    assert (await parts.executor.run(call)).replayed
    await first.close()


def forget_marks(data_dir):
    """Have the ledger's intents as an older program wrote them."""
    with closing(sqlite3.connect(data_dir / "state/ledger.sqlite")) as ledger, ledger:
        [[call_id, text]] = ledger.execute("SELECT id, renames FROM intents")
        renames = [{**item, "inode": 1} for item in json.loads(text)]
        for item in renames:
            del item["mark"]
        ledger.execute(
            "UPDATE intents SET renames = ? WHERE id = ?", (json.dumps(renames), call_id)
        )


async def test_an_older_programs_deletion_is_not_repeated_on_what_is_there(
    assemble, data_dir, file
):
    """It kept inodes only: what lies there may be another's, so nothing is done, and that is said."""
    assert die_at(data_dir, delete(), "committed", 1) == -signal.SIGKILL
    forget_marks(data_dir)
    parts = assemble()
    for _ in range(2):
        with pytest.raises(SystemFault) as caught:
            await parts.executor.run(delete())
        assert (caught.value.outcome, "older program" in caught.value.detail) == ("unknown", True)
    await parts.close()
    trail = "".join(path.read_text() for path in (data_dir / "state/audit").iterdir())
    assert trail.count('"outcome":"unknown","code":"internal"') >= 1
    assert '"settled":true' in trail
    assert file.read_text() == "mine\n"


@pytest.mark.parametrize("step", ["committed", "renamed"])
async def test_an_older_programs_new_file_is_put_in_place(assemble, data_dir, demo, step):
    """What was staged has a name that nobody else makes: it needs no mark."""
    call = tool_call("write_file", _id="a", path="a/new", content="1")
    assert die_at(data_dir, call, step, 1) == -signal.SIGKILL
    forget_marks(data_dir)
    parts = assemble()
    assert (await parts.executor.run(call)).replayed
    await parts.close()
    assert (demo / "a/new").read_text() == "1"


async def test_a_disowned_change_is_kept_in_staging_until_it_is_in_place(assemble, data_dir, demo):
    """Its process has died, and a busy workspace is not completed: its staged file is still needed."""
    call = tool_call("write_file", _id="a", path="x", content="1")
    assert die_at(data_dir, call, "committed", 1) == -signal.SIGKILL
    with closing(sqlite3.connect(data_dir / "state/ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE intents SET process = ''")
    parts = assemble()
    with WorkspaceLocks(data_dir / "state/locks").tried("local/demo"):
        parts.maintenance.run_now()
    assert not (demo / "x").exists()
    assert (await parts.executor.run(call)).replayed
    await parts.close()
    assert (demo / "x").read_text() == "1"


async def test_recovery_completes_an_id_that_comes_again_after_it_was_forgotten(assemble, demo):
    """What it was once is no word of what it is now: a step that fails in the middle is made up for."""
    patch = "".join(f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+1\n" for name in ("a", "b"))
    call, failures = tool_call("apply_patch", _id="again", patch=patch), []

    def fail(step):
        if step == "renamed" and failures:
            raise failures.pop()

    parts = assemble(observe=fail, result_ttl=timedelta(seconds=-10))
    await parts.executor.run(call)
    parts.maintenance.note()
    parts.maintenance.run_now()
    for name in ("a", "b"):
        (demo / name).unlink()
    failures.append(OSError(errno.EIO, "no luck"))
    with pytest.raises(OSError, match="no luck"):
        await parts.executor.run(call)
    await parts.executor.run(tool_call("write_file", path="y", content="1"))
    await parts.close()
    assert sorted(os.listdir(demo)) == ["a", "b", "y"]
