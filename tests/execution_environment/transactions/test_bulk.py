"""Many files as one change: all of them or none, wherever a process dies."""

import json
import os
import signal
import sqlite3
from contextlib import closing

import pytest

from common.audit import AuditRecord
from common.errors import SystemFault
from execution_environment.audit import reader, verifier
from execution_environment.ledger.chains import read_chains
from tests.execution_environment.conftest import asked, staged_in, taken_up, tool_call, usage_of
from tests.execution_environment.transactions.bulk import BULK, make
from tests.execution_environment.transactions.crashes import die_at, own_records

GONE = ["other", "file", "tree/deep/leaf", "tree/deep", "tree"]
CONTENTS = {"file/a": "1", "file/b/c": "22", "tree": "333", "kept": "4444", "new/d/e": "55555"}
OLD = {"file": "old\n", "other": "other\n", "tree/deep/leaf": "leaf\n", "kept": "kept\n"}
STEPS = ["recovered", "listed", "checked", "committed", *["renamed"] * 12, "applied"]
AFTER_THE_INTENT = STEPS.index("committed")


@pytest.fixture
def demo(filled):
    """A workspace where files make room for directories, and a directory for a file."""
    (filled / "kept").write_text("kept\n")
    return filled


def change(call_id="bulk"):
    """Return the call that makes the change."""
    return tool_call(BULK, _id=call_id, gone=GONE, contents=CONTENTS)


def files(demo):
    """Return what every file of the workspace holds."""
    return {str(p.relative_to(demo)): p.read_text() for p in demo.rglob("*") if p.is_file()}


async def test_many_files_are_one_change(parts, demo, data_dir):
    """Each is in its place, what was there is counted out, and the answer names the list of all."""
    result = await make(parts, change())
    assert files(demo) == CONTENTS
    assert usage_of(data_dir) == taken_up(data_dir)
    listed = result.output["receipts_sha256"]
    assert (result.output, result.receipts) == (
        {"created": 5, "deleted": 5, "receipts_sha256": listed}, [],
    )  # fmt: skip
    receipts, cursor = parts.lists.receipts(listed, None, 100)
    assert cursor is None
    made = ["file", "file/b", "new", "new/d"]
    assert [receipt.path for receipt in receipts] == [*GONE, *CONTENTS, *made]
    again = await make(parts, change())
    assert (again.replayed, again.output) == (True, result.output)
    assert json.loads(parts._ledger.stored("bulk").result)["output"] == result.output


async def test_the_trail_has_counts_and_the_hash_in_place_of_many_receipts(parts, demo, data_dir):
    """A line of ten thousand receipts could not be read; what they were can still be proven."""
    result = await make(parts, change())
    [record], _ = reader.find(parts.audit_dir, reader.Query(), 10, None)
    assert (record["changes"], record.get("receipts")) == (result.output, None)
    shown = AuditRecord.model_validate(record).changes
    assert (shown.created, shown.receipts_sha256) == (5, result.output["receipts_sha256"])
    parts.maintenance.note()
    verified = verifier.verify(parts.audit_dir, read_chains(data_dir / "state/ledger.sqlite"))
    assert [head.seq for head in verified] == [1]


async def test_many_files_that_are_all_there_already_change_nothing(parts, data_dir):
    """There is no list of nothing."""
    result = await make(parts, tool_call(BULK, gone=[], contents={}))
    assert result.output == {"created": 0, "deleted": 0, "receipts_sha256": None}
    assert list((data_dir / "state/changes").iterdir()) == []


@pytest.mark.parametrize("died_after", range(len(STEPS)))
async def test_many_files_are_old_or_new_after_a_crash(assemble, demo, data_dir, died_after):
    """Whichever step the process dies at, and however often the dead are cleared up after."""
    step = STEPS[died_after]
    number = STEPS[: died_after + 1].count(step)
    assert die_at(data_dir, change(), step, number) == -signal.SIGKILL
    has_happened = died_after >= AFTER_THE_INTENT
    for _ in range(2):
        parts = assemble()
        parts.maintenance.run_now()
        assert files(demo) == (CONTENTS if has_happened else OLD)
        await parts.close()
    parts = assemble()
    result = await make(parts, change())
    assert (result.replayed, files(demo)) == (has_happened, CONTENTS)
    assert usage_of(data_dir) == taken_up(data_dir)
    parts.maintenance.run_now()
    await parts.close()
    assert staged_in(data_dir) == []
    assert own_records(data_dir, "bulk") == [AFTER_THE_INTENT <= died_after < len(STEPS) - 1]


def cut_off(listed):
    """Have a list end early, as a disk that lies may leave it."""
    listed.write_bytes(listed.read_bytes()[:-200])


@pytest.mark.parametrize("lose", [lambda listed: listed.unlink(), cut_off], ids=["gone", "cut off"])
async def test_a_change_of_many_files_whose_list_is_lost_is_given_up_and_said(
    assemble, demo, data_dir, caplog, lose
):
    """The control: without the list the crash leaves a mix. It is told, once, and all goes on."""
    assert die_at(data_dir, change(), "renamed", 7) == -signal.SIGKILL
    [listed] = (data_dir / "state/changes").iterdir()
    lose(listed)
    parts = assemble()
    parts.maintenance.run_now()
    assert files(demo) not in (OLD, CONTENTS)
    for _ in range(2):
        with pytest.raises(SystemFault) as caught:
            await make(parts, change())
        assert (caught.value.code, caught.value.outcome) == ("internal", "unknown")
        assert "list" in caught.value.detail
    with pytest.raises(SystemFault):
        await parts.settler.settle(asked("bulk"))
    await parts.executor.run(tool_call("write_file", path="next", content="1"))
    parts.maintenance.run_now()
    await parts.close()
    assert staged_in(data_dir) == []
    assert caplog.text.count("a change cannot be completed") == 1
    [record] = [
        found for found in reader.find(parts.audit_dir, reader.Query(), 100, None)[0]
        if found.get("settled")
    ]  # fmt: skip
    assert (record["outcome"], record.get("changes")) == ("unknown", None)


async def test_a_list_that_cannot_be_read_for_now_is_tried_again(assemble, demo, data_dir):
    """It is not lost: the change is completed once it can be."""
    assert die_at(data_dir, change(), "renamed", 3) == -signal.SIGKILL
    [listed] = (data_dir / "state/changes").iterdir()
    listed.rename(listed.with_name("kept"))
    listed.mkdir()
    parts = assemble()
    with pytest.raises(OSError, match="directory"):
        parts.maintenance.run_now()
    listed.rmdir()
    listed.with_name("kept").rename(listed)
    parts.maintenance.run_now()
    await parts.close()
    assert files(demo) == CONTENTS


async def test_many_files_are_on_the_disk_before_their_intent(assemble, demo):
    """And its steps before it is noted as applied. Else a power cut leaves holes."""
    seen = []
    parts = assemble(observe=seen.append)
    renamer = parts.sandbox.renamer
    told(renamer.staging, "sync_all", seen)
    told(renamer, "sync", seen)
    await make(parts, change())
    wanted = ["recovered", "sync_all", "listed", "checked", "committed", "renamed", "sync", "applied"]  # fmt: skip
    assert list(dict.fromkeys(seen)) == wanted
    assert len(seen) == len(wanted) - 1 + STEPS.count("renamed")
    seen.clear()
    await parts.executor.run(tool_call("write_file", path="one", content="1"))
    assert "sync_all" not in seen
    await parts.close()


def told(of, name, seen):
    """Have a method tell of each of its calls."""
    method = getattr(of, name)
    setattr(of, name, lambda *given: (seen.append(name), method(*given)))


async def test_lists_go_when_no_call_names_them_any_more(assemble, parts, demo, data_dir):
    """A receipt can be read for as long as the result; a list of no call may be about to be named."""
    changes = data_dir / "state/changes"
    result = await make(parts, change())
    kept = changes / result.output["receipts_sha256"]
    young, old = changes / ("0" * 64), changes / ".left"
    for path in (young, old):
        path.write_text("\n")
    for path in (kept, old):
        age(path)
    parts.maintenance.run_now()
    assert set(changes.iterdir()) == {kept, young}
    parts.maintenance.note()
    with closing(sqlite3.connect(data_dir / "state/ledger.sqlite")) as ledger, ledger:
        ledger.execute("UPDATE calls SET at = 0")
    parts.maintenance.run_now()
    assert set(changes.iterdir()) == {young}


def age(path):
    """Have a file be of long ago."""
    os.utime(path, (0, 0))
