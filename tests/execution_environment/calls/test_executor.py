"""The executor: bounds, locks, deadlines, and what is left behind."""

import asyncio
import errno
import os
import threading
import time

import pytest

from common.errors import AgenticError, SystemFault, ToolError
from execution_environment.sandbox.os_errors import translated
from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.sandbox.self_test import SandboxUnavailable, prove
from execution_environment.threads import ThreadPool
from execution_environment.transactions.locks import WorkspaceLocks
from tests.execution_environment.conftest import workspace_over

PATCH = """\
--- /dev/null
+++ b/dir/new
@@ -0,0 +1 @@
+staged first
--- a/x
+++ b/x
@@ -1 +1 @@
-not there
+x
"""


async def test_concurrent_edits_lose_nothing(call, demo):
    """Each call edits what the one before it left, whoever read first."""
    (demo / "log").write_text("")
    edits = [{"insert_at_line": 1, "text": "line"}]
    await asyncio.gather(*(call("edit_file", path="log", edits=edits) for _ in range(40)))
    assert (demo / "log").read_text().split() == ["line"] * 40


async def test_only_one_of_many_creates_the_file(call, demo):
    """`create` never replaces, not even what came a moment ago."""
    calls = (call("write_file", path="a/b/x", content=str(n)) for n in range(16))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, AgenticError)]
    assert (len(errors), {error.code for error in errors}) == (15, {"already_exists"})
    [winner] = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)]
    assert (demo / "a/b/x").read_text() == str(winner)


async def test_a_call_waits_for_the_workspaces_lock(call, data_dir):
    """Another process may hold it; its deadline bounds the wait, and nothing is changed."""
    locks = WorkspaceLocks(data_dir / "state" / "locks")
    async with locks.held("local/demo", time.monotonic() + 5):
        with pytest.raises(SystemFault) as caught:
            await call("write_file", {"timeout": 0.2}, path="x", content="1")
        waiting = asyncio.create_task(call("write_file", path="x", content="2"))
        await asyncio.sleep(0)
    assert (caught.value.code, caught.value.outcome) == ("deadline_exceeded", "not_executed")
    assert (await waiting).receipts[0].created


async def test_callers_of_one_process_wait_in_line(data_dir):
    """The deadline holds for those in line as well."""
    locks = WorkspaceLocks(data_dir / "locks")
    async with locks.held("local/demo", time.monotonic() + 5):
        with pytest.raises(SystemFault, match="busy"):
            async with locks.held("local/demo", time.monotonic() + 0.05):
                pass
        async with locks.held("local/other", time.monotonic() + 5):
            pass


async def test_a_deadline_ends_long_work(call, demo):
    """Threads cannot be killed: the work looks at the clock itself."""
    with (demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(SystemFault) as caught:
        await call("get_file_info", {"timeout": 0.3}, path="sparse")
    assert (caught.value.code, caught.value.context.tool) == ("deadline_exceeded", "get_file_info")


async def test_too_many_calls_are_refused_at_once():
    """A clear 503 beats a queue without an end."""
    pool, gate = ThreadPool(1, 1), threading.Event()
    waiting = [asyncio.create_task(pool.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(SystemFault) as caught:
        await pool.run(gate.wait)
    gate.set()
    await asyncio.gather(*waiting)
    await pool.close()
    assert (caught.value.code, caught.value.retryable) == ("overloaded", True)


def later() -> float:
    """A deadline that does not get in the way."""
    return time.monotonic() + 60


async def test_a_call_waits_for_a_thread_until_its_deadline():
    """It is in line behind others of its user, who may hold theirs for much longer."""
    pool, gate, work = ThreadPool(2, 6), threading.Event(), []
    holding = asyncio.create_task(pool.run_for("eve", later(), lambda: gate.wait(10)))
    await asyncio.sleep(0)
    with pytest.raises(SystemFault) as caught:
        await pool.run_for("eve", time.monotonic() + 0.05, lambda: work.append(1))
    gate.set()
    await holding
    await pool.close()
    assert (caught.value.code, caught.value.outcome) == ("deadline_exceeded", "not_executed")
    assert work == []


async def test_one_users_calls_leave_threads_to_others():
    """A thread cannot be killed: whoever holds some until a deadline must not hold them all."""
    pool, gate = ThreadPool(4, 60), threading.Event()
    waiting = [
        asyncio.create_task(pool.run_for("eve", later(), lambda: gate.wait(10))) for _ in range(40)
    ]
    await asyncio.sleep(0)
    others = [pool.run_for(name, later(), lambda: True) for name in ("ann", "bob")]
    assert await asyncio.wait_for(asyncio.gather(*others), 5) == [True, True]
    waiting.pop().cancel()
    waiting.pop(0).cancel()
    gate.set()
    await asyncio.gather(*waiting)
    assert await pool.run_for("eve", later(), lambda: True)
    await pool.close()


async def test_one_users_calls_leave_places_in_the_line_to_others():
    """Otherwise all others were refused as long as it lasts."""
    pool, gate = ThreadPool(1, 7), threading.Event()
    waiting = [
        asyncio.create_task(pool.run_for("eve", later(), lambda: gate.wait(10))) for _ in range(8)
    ]
    other = asyncio.create_task(pool.run_for("ann", later(), lambda: True))
    await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    codes = [outcome.code for outcome in outcomes if isinstance(outcome, SystemFault)]
    assert codes == ["overloaded", "overloaded"]
    assert await other
    await pool.close()


async def test_work_that_nobody_waits_for_is_logged_when_it_fails(capsys):
    """Such as emptying what was deleted: an error must not vanish with its task."""
    pool = ThreadPool(1, 1)
    pool.run_in_background(lambda: 1 / 0)
    await pool.close()
    assert "work that nobody waits for failed" in capsys.readouterr().out


async def test_errors_leave_no_descriptor_and_nothing_staged(call, demo, open_descriptors):
    """The sandbox fixture looks at the staging directory afterwards."""
    (demo / "x").write_text("1")
    await call("read_file", path="x")
    before = open_descriptors()
    edits = [{"old_text": "nope", "new_text": "x"}]
    for _ in range(10):
        for tool, arguments in (
            ("write_file", {"path": "x", "content": "2"}),
            ("write_file", {"path": "x/y", "content": "2"}),
            ("edit_file", {"path": "x", "edits": edits}),
            ("read_file", {"path": "nope/x"}),
            ("append_file", {"path": "x/y", "content": "2"}),
            ("move_path", {"source": "x", "destination": "x/y"}),
            ("move_path", {"source": "nope", "destination": "new/y"}),
            ("copy_path", {"source": "nope", "destination": "new/y"}),
            ("copy_path", {"source": "x", "destination": "x"}),
            ("delete_path", {"path": "nope"}),
            ("apply_patch", {"patch": PATCH}),
        ):
            with pytest.raises(AgenticError):
                await call(tool, **arguments)
    assert open_descriptors() == before


def test_a_change_of_what_was_read_makes_the_staged_change_stale(workspace, sandbox, demo):
    """Replaced, rewritten in place, removed: each is noticed under the lock."""
    for change in (
        lambda: os.replace(demo / "other", demo / "x"),
        lambda: (demo / "x").write_text("in place"),
        lambda: (demo / "x").unlink(),
    ):
        (demo / "x").write_text("old")
        (demo / "other").write_text("new")
        workspace.files.put("x", b"mine", workspace.reader.find_file("x"))
        change()
        assert not workspace.change.is_fresh()
        workspace.change.discard()


def test_a_place_that_is_gone_or_taken_makes_a_new_file_stale(workspace, sandbox, demo):
    """A rename never replaces what came after the check, either."""
    (demo / "dir").mkdir()
    workspace.files.put("dir/x", b"mine", None)
    (demo / "dir/x").write_text("theirs")
    assert not workspace.change.is_fresh()
    with pytest.raises(FileExistsError):
        sandbox.renamer.apply(workspace.change.renames[0])
    (demo / "dir/x").unlink()
    (demo / "dir").rmdir()
    assert not workspace.change.is_fresh()
    workspace.change.discard()


def test_what_a_dead_process_staged_is_cleaned(data_dir, sandbox):
    """However deep; what a live process staged, or what is still needed, is left alone."""
    for name in ("dead", "needed"):
        deepest = data_dir / "state/staging" / name / "/".join(["d"] * 300)
        deepest.mkdir(parents=True)
        (deepest / "file").write_text("left")
    workspace = workspace_over(sandbox)
    workspace.files.put("x", b"1", None)
    other = Sandbox(data_dir)
    other.renamer.staging.clean({"needed"})
    assert not (data_dir / "state/staging/dead").exists()
    assert (data_dir / "state/staging/needed").exists()
    other.renamer.staging.clean()
    assert not (data_dir / "state/staging/needed").exists()
    other.close()
    sandbox.renamer.apply(workspace.change.renames[0])


def test_very_deep_staging_is_removed_in_constant_stack(sandbox):
    """Recursive deletion fails at depth 1,100."""
    staging = sandbox.renamer.staging
    staging.discard(staging.add_directories(None, (b"d",) * 1900))


def test_the_self_test_refuses_what_does_not_hold(tmp_path, monkeypatch):
    """No proof, no service."""
    prove(tmp_path)
    naive = "execution_environment.sandbox.self_test.openat2"
    monkeypatch.setattr(naive, lambda root, path, flags: os.open(path, flags, dir_fd=root))
    with pytest.raises(SandboxUnavailable, match=r"Linux 5\.6"):
        prove(tmp_path)


def test_unexpected_faults_of_the_disk_go_up_as_they_are():
    """EIO is no answer to a client: the one handler logs it and says internal."""
    with pytest.raises(OSError, match="Input/output"), translated("x"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(ToolError) as caught, translated("x"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert (caught.value.code, caught.value.context.errno) == ("no_space", "ENOSPC")
