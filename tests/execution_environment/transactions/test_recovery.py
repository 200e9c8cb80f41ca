"""What a crash left is completed by whoever comes next, and files of others stay where they are."""

import asyncio
import errno
import json
import os
import signal
import sqlite3
from contextlib import closing

import pytest

from common.errors import AgenticError, SystemFault
from execution_environment.sandbox.renames import Location, Rename
from execution_environment.transactions.locks import WorkspaceLocks
from tests.execution_environment.conftest import tool_call
from tests.execution_environment.transactions.test_committer import die_at

OTHERS = "what another program has made\n"
TRIES = 200


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


def test_a_step_is_known_by_more_than_its_inode(sandbox, file, demo):
    """File systems hand freed inodes out again: an inode that was born at another time is not it."""
    place = Location(leaf=b"file", directory=(b"local", b"demo"))
    trash = Location(leaf=b"0" * 32, process="f" * 16)
    mark = sandbox.renamer.mark(place)
    inode, _, birth = mark.partition("@")
    older = f"{inode}@{int(birth) - 1}" if birth else f"{mark[:-1]}g"
    steps = [Rename(source=place, target=trash, mark=known) for known in (mark, older)]
    assert [sandbox.renamer.is_pending(step) for step in steps] == [True, False]


def test_a_mark_outlasts_what_may_happen_to_a_file(sandbox, file, demo):
    """Its content, its mode and its name may change before a crash is settled."""
    directory = (b"local", b"demo")
    mark = sandbox.renamer.mark(Location(leaf=b"file", directory=directory))
    file.write_text("more\n")
    file.chmod(0o600)
    file.rename(demo / "moved")
    assert sandbox.renamer.mark(Location(leaf=b"moved", directory=directory)) == mark
    assert sandbox.renamer.mark(Location(leaf=b"file", directory=directory)) is None


@pytest.mark.parametrize("step", ["renamed", "applied"])
async def test_what_others_made_in_a_place_survives_a_crash(assemble, data_dir, file, step):
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


async def test_what_a_living_process_could_not_complete_is_completed_by_another(
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
        [[call_id, text]] = ledger.execute("SELECT id, renames FROM calls WHERE renames != ''")
        renames = [{**item, "inode": 1} for item in json.loads(text)]
        for item in renames:
            del item["mark"]
        ledger.execute("UPDATE calls SET renames = ? WHERE id = ?", (json.dumps(renames), call_id))


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


async def test_what_was_disowned_is_kept_in_staging_until_it_is_in_place(assemble, data_dir, demo):
    """Its process has died, and a busy workspace is not completed: its staged file is still needed."""
    call = tool_call("write_file", _id="a", path="x", content="1")
    assert die_at(data_dir, call, "committed", 1) == -signal.SIGKILL
    with closing(sqlite3.connect(data_dir / "state/ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE calls SET process = ''")
    parts = assemble()
    with WorkspaceLocks(data_dir / "state/locks").tried("local/demo"):
        parts.maintenance.run_now()
    assert not (demo / "x").exists()
    assert (await parts.executor.run(call)).replayed
    await parts.close()
    assert (demo / "x").read_text() == "1"


async def test_the_lock_is_held_until_the_change_is_made(assemble, data_dir, demo):
    """Whoever waits for a call may leave, and its thread goes on: nobody else comes in between."""
    loop, arrived, leave = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def stay(step):
        if step == "committed":
            loop.call_soon_threadsafe(arrived.set)
            asyncio.run_coroutine_threadsafe(leave.wait(), loop).result(timeout=10)

    parts = assemble(observe=stay)
    task = asyncio.create_task(parts.executor.run(tool_call("write_file", path="x", content="1")))
    await arrived.wait()
    task.cancel()
    for _ in range(10):  # the cancellation has gone as far as it can
        await asyncio.sleep(0)
    with WorkspaceLocks(data_dir / "state/locks").tried("local/demo") as is_free:
        assert not is_free
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (demo / "x").read_text() == "1"
    await parts.close()


@pytest.mark.parametrize(
    ("made", "moved"), [("new", "b"), ("d/new", "b"), ("d/new", "d/b"), ("d/new", "e/b")]
)
async def test_a_place_that_another_call_takes_meanwhile_leaves_nothing_half_made(
    assemble, data_dir, demo, made, moved
):
    """Of a patch that makes a file first and then moves one to where it was taken."""
    patch = (
        f"--- /dev/null\n+++ b/{made}\n@@ -0,0 +1 @@\n+new\n"
        f"diff --git a/a b/{moved}\nsimilarity index 100%\nrename from a\nrename to {moved}\n"
    )
    (demo / "a").write_text("mine\n")
    parts = assemble()
    with WorkspaceLocks(data_dir / "state/locks").tried("local/demo"):
        patching = asyncio.create_task(
            parts.executor.run(tool_call("apply_patch", _id="p", patch=patch))
        )
        while not list((data_dir / "state/staging").glob("*/*")):
            await asyncio.sleep(0.01)
        (demo / moved).parent.mkdir(exist_ok=True)
        (demo / moved).write_text(OTHERS)
    with pytest.raises(AgenticError) as caught:
        await patching
    error = caught.value
    assert (error.code, error.outcome) == ("already_exists", "not_executed")
    assert error.context.path == moved
    assert not (demo / made).exists()
    assert ((demo / "a").read_text(), (demo / moved).read_text()) == ("mine\n", OTHERS)
    (demo / moved).unlink()
    await parts.executor.run(tool_call("apply_patch", _id="p", patch=patch))
    await parts.close()
    assert ((demo / made).read_text(), (demo / moved).read_text()) == ("new\n", "mine\n")


async def test_a_change_that_fails_in_the_middle_names_the_place(assemble, demo):
    """A program beside the service takes it when the first step is done already."""
    (demo / "a").write_text("mine\n")
    patch = (
        "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+new\n"
        "diff --git a/a b/b\nsimilarity index 100%\nrename from a\nrename to b\n"
    )
    parts = assemble(observe=lambda step: step == "renamed" and (demo / "b").write_text(OTHERS))
    with pytest.raises(AgenticError) as caught:
        await parts.executor.run(tool_call("apply_patch", patch=patch))
    await parts.close()
    assert (caught.value.outcome, caught.value.context.path) == ("unknown", "b")
