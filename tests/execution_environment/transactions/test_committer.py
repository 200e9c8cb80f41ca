"""Exactly once: a process dies between each two steps of the protocol, for each kind of change."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from common.errors import AgenticError, SystemFault
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.ledger.ledger import Ledger
from execution_environment.sandbox.limits import Usage
from tests.execution_environment.conftest import asked, staged_in, tool_call

PATCH = """\
--- a/file
+++ b/file
@@ -1 +1 @@
-old
+new
--- /dev/null
+++ b/a/new
@@ -0,0 +1 @@
+new
--- a/other
+++ /dev/null
@@ -1 +0,0 @@
-other
"""
CHANGES = {
    "create": ("write_file", {"path": "new", "content": "1"}),
    "create beneath new directories": ("write_file", {"path": "a/b/new", "content": "1"}),
    "replace": ("write_file", {"path": "file", "content": "2", "mode": "replace"}),
    "edit": ("edit_file", {"path": "file", "edits": [{"insert_at_line": 1, "text": "top"}]}),
    "append": ("append_file", {"path": "file", "content": "more\n"}),
    "make a directory": ("create_directory", {"path": "x/y"}),
    "move": ("move_path", {"source": "file", "destination": "moved"}),
    "move beneath new directories": ("move_path", {"source": "tree", "destination": "a/b/tree"}),
    "move over": ("move_path", {"source": "file", "destination": "other", "overwrite": True}),
    "copy": ("copy_path", {"source": "file", "destination": "copied"}),
    "copy a tree": ("copy_path", {"source": "tree", "destination": "a/copied"}),
    "delete": ("delete_path", {"path": "file"}),
    "patch": ("apply_patch", {"patch": PATCH}),
    "delete a tree": ("delete_path", {"path": "tree", "recursive": True}),
}
RUN = "run_" + "0" * 32
STEPS = [
    ("recovered", 1),
    ("checked", 1),
    ("committed", 1),
    ("renamed", 1),
    ("renamed", 2),
    ("applied", 1),
]


@pytest.fixture
def filled(demo):
    """A workspace with something for every change."""
    (demo / "file").write_text("old\n")
    (demo / "other").write_text("other\n")
    (demo / "tree/deep").mkdir(parents=True)
    (demo / "tree/deep/leaf").write_text("leaf\n")
    return demo


def die_at(data_dir: Path, call, step: str, number: int) -> int:
    """Make a call in a process that dies; return its exit code."""
    script = Path(__file__).with_name("dying.py")
    root = Path(__file__).parents[3]
    command = [sys.executable, script, data_dir, call.model_dump_json(), step, str(number)]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(root)}, check=False, timeout=60
    ).returncode


def contents(demo: Path) -> dict[str, str | None]:
    """Return every path of the workspace with its file's hash."""
    return {
        str(path.relative_to(demo)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        )
        for path in demo.rglob("*")
    }


async def expected_after(assemble, demo: Path, tool, arguments) -> dict[str, str | None]:
    """Make the change in a copy of the workspace, undisturbed."""
    shutil.copytree(demo, demo.parent / "copy")
    parts = assemble()
    await parts.executor.run(tool_call(tool, {"allowed_paths_root": "local/copy"}, **arguments))
    await parts.close()
    return contents(demo.parent / "copy")


@pytest.mark.parametrize(("step", "number"), STEPS)
@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_that_was_cut_short_happens_once(
    assemble, data_dir, filled, change, step, number
):
    """The retry with the same id answers the truth, whether the crash came before or after."""
    tool, arguments = CHANGES[change]
    call = tool_call(tool, _id="the-call", **arguments)
    before, wanted = contents(filled), await expected_after(assemble, filled, tool, arguments)
    code = die_at(data_dir, call, step, number)
    has_died = code == -signal.SIGKILL
    assert has_died or (step, number > 1, code) == ("renamed", True, 0)
    assert contents(filled) in (before, wanted) or step == "renamed"
    parts = assemble()
    result = await parts.executor.run(call)
    assert result.replayed is (step not in ("recovered", "checked"))
    assert contents(filled) == wanted
    assert (await parts.executor.run(call)).replayed
    assert contents(filled) == wanted
    parts.maintenance.run_now()
    await parts.close()
    assert staged_in(data_dir) == []
    assert _recorded(data_dir, "the-call") >= {False, True}


def _recorded(data_dir: Path, call_id: str) -> set[bool]:
    """Return whether the trail has the call's own record, and one of its repetition."""
    lines = "".join(path.read_text() for path in (data_dir / "state/audit").iterdir()).splitlines()
    return {'"replayed":true' in line for line in lines if f'"id":"{call_id}"' in line}


@pytest.mark.parametrize("step", ["committed", "renamed"])
async def test_the_next_caller_settles_what_was_cut_short(assemble, data_dir, filled, step):
    """Another change of the same file builds on it; the retry afterwards changes nothing."""
    call = tool_call("append_file", _id="first", path="file", content="first\n")
    assert die_at(data_dir, call, step, 1) == -signal.SIGKILL
    parts = assemble()
    await parts.executor.run(tool_call("append_file", path="file", content="second\n"))
    assert (await parts.executor.run(call)).replayed
    assert (filled / "file").read_text() == "old\nfirst\nsecond\n"
    await parts.close()


async def test_a_change_made_twice_shows_without_the_ledger(assemble, data_dir, filled):
    """The control: with a ledger that forgets, the same crash and retry double the append."""
    call = tool_call("append_file", _id="first", path="file", content="more\n")
    assert die_at(data_dir, call, "applied", 1) == -signal.SIGKILL
    for path in (data_dir / "state").glob("ledger.sqlite*"):
        path.unlink()
    parts = assemble()
    await parts.executor.run(call)
    assert (filled / "file").read_text() == "old\nmore\nmore\n"
    await parts.close()


# On record, once


def own_records(data_dir: Path, call_id: str) -> list[bool]:
    """Return for each record of a call's own effect whether it was written by who settled it."""
    lines = "".join(path.read_text() for path in (data_dir / "state/audit").iterdir()).splitlines()
    records = [json.loads(line) for line in lines if f'"id":"{call_id}"' in line]
    return [
        record.get("settled", False)
        for record in records
        if record["outcome"] == "executed" and not record.get("replayed")
    ]


@pytest.mark.parametrize("step", ["committed", "renamed", "applied"])
async def test_a_change_that_was_cut_short_is_on_record_once(assemble, data_dir, filled, step):
    """Though it was refused before under the same id, and is repeated afterwards."""
    call = tool_call("append_file", _id="the-call", path="file", content="1\n")
    parts = assemble()
    with pytest.raises(AgenticError):
        await parts.executor.run(tool_call("append_file", _id="the-call", path="../file", content=""))  # fmt: skip
    await parts.close()
    assert die_at(data_dir, call, step, 1) == -signal.SIGKILL
    parts = assemble()
    parts.maintenance.run_now()
    assert (await parts.executor.run(call)).replayed
    await parts.close()
    assert own_records(data_dir, "the-call") == [step != "applied"]


async def test_a_record_is_found_however_much_was_written_after_it(assemble, data_dir, filled):
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


async def test_a_settlement_that_is_cut_short_puts_a_change_on_record_once(
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


# Repetitions, conflicts, settling


async def test_the_same_call_again_is_answered_from_the_ledger(call, demo):
    """Only what may differ between attempts may differ: fence, deadline, request id."""
    given = {"path": "x", "content": "1"}
    first = await call("write_file", _id="a", **given)
    (demo / "x").write_text("changed since")
    context = {"timeout": 5, "request_id": "req_other"}
    again = await call("write_file", context, _id="a", _fence=9, **given)
    assert again == first.model_copy(update={"replayed": True})
    assert (demo / "x").read_text() == "changed since"


@pytest.mark.parametrize(
    ("tool", "arguments", "context"),
    [
        ("write_file", {"path": "x", "content": "2"}, {}),
        ("append_file", {"path": "x", "content": "1"}, {}),
        ("write_file", {"path": "x", "content": "1"}, {"allowed_paths_root": "local/demo2"}),
        (
            "write_file",
            {"path": "x", "content": "1"},
            {"user_id": "ann", "allowed_paths_root": "ann/demo"},
        ),
    ],
)
async def test_an_id_belongs_to_one_call(call, demo, tool, arguments, context):
    """Another tool, argument, user or workspace under it is a mistake, and changes nothing."""
    await call("write_file", _id="a", path="x", content="1")
    with pytest.raises(AgenticError) as caught:
        await call(tool, context, _id="a", **arguments)
    assert (caught.value.code, caught.value.outcome) == ("idempotency_conflict", "not_executed")
    assert (demo / "x").read_text() == "1"


async def test_a_failure_leaves_the_id_free(call, demo):
    """What was corrected may be tried again under the same id."""
    edits = [{"old_text": "a", "new_text": "b"}]
    with pytest.raises(AgenticError):
        await call("edit_file", _id="a", path="x", edits=edits)
    (demo / "x").write_text("a")
    assert not (await call("edit_file", _id="a", path="x", edits=edits)).replayed


async def test_reads_and_dry_runs_are_never_stored(call, demo):
    """They are made anew each time."""
    (demo / "x").write_text("1")
    for content in ("1", "2"):
        (demo / "x").write_text(content)
        assert (await call("read_file", _id="a", path="x")).output["content"] == content
        dry = await call("write_file", _id="a", _dry_run=True, path="y", content="1")
        assert not dry.replayed
    assert not (await call("write_file", _id="a", path="y", content="1")).replayed


async def test_two_attempts_at_once_make_one_change(call, demo):
    """The second waits for the lock and finds the result."""
    calls = (call("append_file", _id="a", path="x", content="1\n") for _ in range(8))
    results = await asyncio.gather(*calls)
    assert sorted(result.replayed for result in results) == [False] + [True] * 7
    assert (demo / "x").read_text() == "1\n"


async def test_a_call_that_nobody_wants_never_comes(parts, call, demo):
    """The tombstone holds even for a copy of the call that is still on its way."""
    settled = await parts.settler.settle(asked("a"))
    assert (settled.outcome, settled.result) == ("not_executed", None)
    with pytest.raises(AgenticError) as caught:
        await call("write_file", _id="a", path="x", content="1")
    assert (caught.value.code, caught.value.outcome) == ("call_expired", "not_executed")
    assert not (demo / "x").exists()


async def test_a_call_that_has_happened_is_settled_with_its_result(parts, call):
    """Whoever cancels learns what was changed."""
    result = await call("write_file", _id=f"{RUN}:1:1", path="x", content="1")
    settled = await parts.settler.settle(asked(f"{RUN}:1:1"))
    assert (settled.outcome, settled.result) == (
        "executed",
        result.model_copy(update={"replayed": True}),
    )


async def test_settling_a_change_that_was_cut_short_completes_it(assemble, data_dir, filled):
    """`executed` means that it can be seen."""
    call = tool_call("append_file", _id="a", path="file", content="more\n")
    assert die_at(data_dir, call, "committed", 1) == -signal.SIGKILL
    parts = assemble()
    assert (await parts.settler.settle(asked("a"))).outcome == "executed"
    assert (filled / "file").read_text() == "old\nmore\n"
    await parts.close()


async def test_a_change_in_staging_is_beaten_by_its_settlement(assemble, parts, demo):
    """Between staging and the intent the tombstone still wins, and says so."""
    second = assemble(observe=lambda step: step == "checked" and settle())

    def settle():
        asyncio.run_coroutine_threadsafe(parts.settler.settle(asked("a")), loop).result(timeout=10)

    loop = asyncio.get_running_loop()
    with pytest.raises(AgenticError) as caught:
        await second.executor.run(tool_call("write_file", _id="a", path="x", content="1"))
    await second.close()
    assert (caught.value.code, (demo / "x").exists()) == ("call_expired", False)


# Of runs, their progress and their fences

SESSION = {"session_id": "ses_" + "0" * 32}


async def test_a_call_that_its_run_has_passed_is_expired(assemble, data_dir, demo):
    """Its result is gone: repeating it could double the effect, so it is refused as unknown."""
    parts = assemble(result_ttl=timedelta(0))
    late = tool_call("append_file", _id=f"{RUN}:1:1", path="x", content="1\n")
    await parts.executor.run(late)
    await parts.executor.run(tool_call("append_file", _id=f"{RUN}:2:1", path="x", content="2\n"))
    parts.maintenance.run_now()
    for again in (parts.executor.run(late), parts.settler.settle(asked(late.id))):
        with pytest.raises(AgenticError) as caught:
            await again
        assert (caught.value.code, caught.value.outcome) == ("call_expired", "unknown")
    await parts.close()
    assert (demo / "x").read_text() == "1\n2\n"


@pytest.mark.parametrize("call_id", ["a", f"{RUN}:1:1"])
async def test_an_abandoned_id_is_not_free_again_after_the_results_time(assemble, demo, call_id):
    """Its tombstone outlasts results: "it never takes effect" was the answer."""
    parts = assemble(result_ttl=timedelta(0))
    await parts.settler.settle(asked(call_id))
    parts.maintenance.run_now()
    with pytest.raises(AgenticError) as caught:
        await parts.executor.run(tool_call("write_file", _id=call_id, path="x", content="1"))
    assert (caught.value.code, (demo / "x").exists()) == ("call_expired", False)
    await parts.close()


async def test_an_older_owner_is_refused_on_arrival(call):
    """The refusal names the fence that the session has reached."""
    await call("list_directory", SESSION, _fence=7)
    for tool, arguments in (("list_directory", {}), ("write_file", {"path": "x", "content": "1"})):
        with pytest.raises(AgenticError) as caught:
            await call(tool, SESSION, _fence=6, **arguments)
        error = caught.value
        assert (error.code, error.outcome) == ("fenced", "not_executed")
        assert (error.context.limit, error.context.actual) == (7, 6)
    await call("write_file", SESSION, _fence=7, path="x", content="1")
    await call("write_file", path="y", content="1", _fence=0)


async def test_an_older_owner_is_refused_under_the_lock(assemble, parts, demo):
    """It was admitted, and a newer owner came while it waited."""
    newer = tool_call("list_directory", SESSION, _fence=8)

    def overtake(step):
        if step == "checked":
            asyncio.run_coroutine_threadsafe(parts.executor.run(newer), loop).result(timeout=10)

    loop = asyncio.get_running_loop()
    second = assemble(observe=overtake)
    with pytest.raises(AgenticError) as caught:
        await second.executor.run(tool_call("write_file", SESSION, _fence=7, path="x", content="1"))
    await second.close()
    assert (caught.value.code, (demo / "x").exists()) == ("fenced", False)


# When the disk or another program gets in the way


async def test_a_rename_that_fails_at_once_leaves_the_id_free(assemble, demo):
    """Nothing was changed, and the same call can be made again."""
    second = assemble(observe=lambda step: step == "committed" and (demo / "x").write_text("!"))
    call = tool_call("write_file", _id=f"{RUN}:3:1", path="x", content="1")
    with pytest.raises(AgenticError) as caught:
        await second.executor.run(call)
    assert (caught.value.code, caught.value.outcome) == ("already_exists", "not_executed")
    (demo / "x").unlink()
    await second.close()
    third = assemble()
    assert not (await third.executor.run(call)).replayed
    await third.close()


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


class Overtaken(Ledger):
    """Lets another attempt at the call come to its end after each look that finds none."""

    other = None

    def find(self, key):
        """Look, then wait for the other."""
        stored = super().find(key)
        other, self.other = self.other, None
        if other is not None:
            other()
        return stored


@pytest.mark.parametrize("name", CHANGES)
async def test_an_attempt_that_another_one_overtakes_has_its_result(assemble, filled, name):
    """What it looks at is the other's effect by then: it was told 409 or 404, and not to repeat it."""
    tool, arguments = CHANGES[name]
    call, loop = tool_call(tool, _id="a", **arguments), asyncio.get_running_loop()
    first, ledgers = assemble(), []

    def overtaken(path):
        ledgers.append(Overtaken(path))
        return ledgers[0]

    second = assemble(make_ledger=overtaken)
    ledgers[0].other = lambda: asyncio.run_coroutine_threadsafe(
        first.executor.run(call), loop
    ).result(timeout=10)
    result = await second.executor.run(call)
    assert (result.replayed, ledgers[0].other) == (True, None)
    ledgers[0].other = lambda: asyncio.run_coroutine_threadsafe(
        first.executor.run(tool_call("write_file", _id="b", path="fresh", content="1")), loop
    ).result(timeout=10)
    with pytest.raises(AgenticError) as caught:
        await second.executor.run(tool_call("write_file", _id="b", path="fresh", content="2"))
    assert caught.value.code == "idempotency_conflict"
    await second.close()
    await first.close()


# Quotas


async def test_a_workspace_has_a_quota_of_bytes(call, demo):
    """It is checked before anything is visible; what is freed can be used again."""
    quota = {"limits": {"workspace_quota_bytes": 100}}
    await call("write_file", quota, path="x", content="x" * 60)
    with pytest.raises(AgenticError) as caught:
        await call("write_file", quota, path="y", content="y" * 41)
    error = caught.value
    assert (error.code, error.context.limit, error.context.actual) == ("quota_exceeded", 40, 41)
    assert not (demo / "y").exists()
    await call("write_file", quota, path="x", content="x" * 100, mode="replace")
    await call("delete_path", quota, path="x")
    await call("write_file", quota, path="y", content="y" * 100)
    with pytest.raises(AgenticError):
        await call("copy_path", quota, source="y", destination="z")
    with pytest.raises(AgenticError):
        await call("append_file", quota, path="y", content="1")


async def test_a_workspace_has_a_quota_of_entries(assemble, data_dir):
    """Directories count as well; files that were there before are found."""
    (data_dir / "workspaces/local/demo/old").write_text("1")
    parts = assemble(allowed=ServiceLimits(100, 100, Usage(1000, 4)))
    await parts.executor.run(tool_call("write_file", path="a/b", content="1"))
    with pytest.raises(AgenticError) as caught:
        await parts.executor.run(tool_call("write_file", path="c/d", content="1"))
    await parts.close()
    assert (caught.value.code, caught.value.context.limit) == ("quota_exceeded", 1)
