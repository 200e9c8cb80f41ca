"""Exactly once: a process dies between each two steps of the protocol, for each kind of change."""

import errno
import hashlib
import shutil
import signal
from pathlib import Path

import pytest

from common.errors import AgenticError, ToolError
from execution_environment.ledger.ledger import Ledger
from tests.execution_environment.conftest import staged_in, tool_call
from tests.execution_environment.transactions.crashes import CHANGES, die_at, own_records

RUN = "run_" + "0" * 32
STEPS = [
    ("recovered", 1),
    ("checked", 1),
    ("committed", 1),
    ("renamed", 1),
    ("renamed", 2),
    ("applied", 1),
]
OTHERS = "what another program has made\n"


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


async def test_an_intent_that_cannot_be_withdrawn_is_carried_out_by_the_next_call(assemble, demo):
    """A full disk may refuse both the rename and the word of it: the id must not stand for nothing."""

    def unwithdrawn(path):
        ledger = Ledger(path)
        ledger.withdraw = full
        return ledger

    def full(_):
        raise ToolError("no_space", "full", errno="ENOSPC")

    parts = assemble(make_ledger=unwithdrawn)
    call, apply = (
        tool_call("write_file", _id="a", path="x", content="1"),
        parts.sandbox.renamer.apply,
    )
    parts.sandbox.renamer.apply = full
    with pytest.raises(ToolError) as caught:
        await parts.executor.run(call)
    assert (caught.value.code, caught.value.outcome) == ("no_space", "unknown")
    parts.sandbox.renamer.apply = apply
    await parts.executor.run(tool_call("write_file", path="y", content="1"))
    assert (await parts.executor.run(call)).replayed
    assert sorted(contents(demo)) == ["x", "y"]
    await parts.close()


async def test_a_change_whose_audit_entry_cannot_be_written_gets_it_from_the_next_call(
    assemble, data_dir, demo
):
    """It has happened, and nothing that has happened is missing from the trail."""
    parts = assemble()
    call, append = tool_call("write_file", _id="a", path="x", content="1"), parts.audit.append
    failures = [OSError(errno.EIO, "no luck")]

    def fail_once(entry):
        if failures:
            raise failures.pop()
        append(entry)

    parts.audit.append = fail_once
    with pytest.raises(OSError, match="no luck"):
        await parts.executor.run(call)
    await parts.executor.run(tool_call("write_file", path="y", content="1"))
    await parts.close()
    assert own_records(data_dir, "a") == [True]
    assert sorted(contents(demo)) == ["x", "y"]
