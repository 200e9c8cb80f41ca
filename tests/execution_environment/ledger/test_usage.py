"""Counting: what a workspace takes up is known exactly, and never more than its quota."""

import asyncio
import os
import sqlite3
from contextlib import closing

import pytest
from starlette.datastructures import Headers

from common.context import Limits
from common.errors import ToolError
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import STEP, Usage
from tests.execution_environment.conftest import MIB, staged_in, taken_up, tool_call, usage_of

UPLOADS = 8


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("write_file", {"path": "a/b/x", "content": "1"}),
        ("write_file", {"path": "x", "content": "1"}),
        ("create_directory", {"path": "a/b"}),
    ],
)
async def test_a_new_workspace_does_not_count_itself(call, data_dir, tool, arguments):
    """Neither its own directory nor its user's is an entry of it."""
    await call(tool, {"user_id": "new", "allowed_paths_root": "new/place"}, **arguments)
    assert usage_of(data_dir, "new/place") == taken_up(data_dir, "new/place")


async def test_an_upload_to_a_new_workspace_is_counted(parts, data_dir):
    """Its directories are made on the way, as for a tool."""
    context = tool_call("x", {"user_id": "new", "allowed_paths_root": "new/place"}).context
    await parts.uploads.take(FileRequest("u", 0, "a/x", context), Headers(), pieces(b"123"))
    assert usage_of(data_dir, "new/place") == taken_up(data_dir, "new/place")


async def pieces(*data):
    """Yield the pieces of an upload."""
    for piece in data:
        yield piece


async def test_two_workspaces_of_a_new_user_can_begin_at_once(assemble, parts, data_dir):
    """Each is staged while there is no directory of the user; neither stands in the other's way."""
    loop = asyncio.get_running_loop()

    def context(workspace):
        return {"user_id": "new", "allowed_paths_root": f"new/{workspace}"}

    def overtake(step):
        if step == "checked":
            call = tool_call("write_file", context("two"), path="x", content="2")
            asyncio.run_coroutine_threadsafe(parts.executor.run(call), loop).result(timeout=10)

    first = assemble(observe=overtake)
    await first.executor.run(tool_call("write_file", context("one"), path="x", content="1"))
    await first.close()
    found = {
        name: (data_dir / "workspaces/new" / name / "x").read_text() for name in ("one", "two")
    }
    assert found == {"one": "1", "two": "2"}


async def test_a_tree_that_grew_while_its_deletion_waited_is_counted_as_it_went(
    assemble, call, data_dir, demo
):
    """Measured before it had the lock, what came meanwhile went with it and stayed counted."""
    (demo / "tree/deep").mkdir(parents=True)
    await call("write_file", path="x", content="1")

    def come_first(step):
        if step == "settled":  # the lock was just taken: this is what another process did with it
            (demo / "tree/deep/y").write_text("y" * 1000)
            with closing(sqlite3.connect(data_dir / "state/ledger.sqlite")) as ledger, ledger:
                ledger.execute("UPDATE usage SET size = size + 1000, entries = entries + 1")

    parts = assemble(observe=come_first)
    await parts.executor.run(tool_call("delete_path", path="tree", recursive=True))
    await parts.close()
    assert usage_of(data_dir) == taken_up(data_dir) == (1, 1)


async def until(condition, seconds=10):
    """Wait for a condition on the loop."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


async def test_uploads_at_once_stage_no_more_than_the_quota_allows(assemble, data_dir):
    """Eight of the quota's size: each fits alone, and together they would take eight times that."""
    quota = 4 * MIB
    parts = assemble(allowed=ServiceLimits(MIB, MIB, Usage(quota, 100)))
    begun, most = asyncio.Barrier(UPLOADS), 0

    async def upload(number):
        context = tool_call("x").context
        await parts.uploads.take(
            FileRequest(f"u{number}", 0, f"f{number}", context), Headers(), body()
        )

    async def body():
        nonlocal most
        await begun.wait()
        for _ in range(quota // STEP * 4):
            yield bytes(STEP // 4)
            most = max(most, staged_bytes(data_dir))

    outcomes = await asyncio.gather(*map(upload, range(UPLOADS)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, ToolError)]
    assert {error.code for error in refused} == {"quota_exceeded"}
    assert most <= quota + UPLOADS * STEP < UPLOADS * quota
    await until(lambda: not staged_in(data_dir)[1:])
    await parts.uploads.take(
        FileRequest("last", 0, "f", tool_call("x", {"limits": Limits()}).context),
        Headers(),
        pieces(),
    )
    await parts.close()


def staged_bytes(data_dir):
    """Return how large the files in staging are."""
    return sum(path.stat().st_size for path in (data_dir / "state/staging").rglob("*"))


async def test_what_a_dead_process_reserved_is_given_back(assemble, parts, data_dir):
    """Else every crash in mid-upload would take room away until the next start of all."""
    parts._reservations.change("local/demo", 50 * MIB, 100 * MIB)
    parts._reservations.forget(lambda process: process == parts.sandbox.renamer.staging.process)
    parts._reservations.change("local/demo", 100 * MIB, 100 * MIB)
    parts._reservations.change("local/demo", -100 * MIB, 100 * MIB)


async def test_a_dry_run_knows_what_was_there_before_the_start(assemble, demo):
    """Nothing is counted yet after a restart: the workspace is measured then."""
    (demo / "old").write_bytes(bytes(60))
    parts = assemble(allowed=ServiceLimits(MIB, MIB, Usage(100, 3)))
    for path, size in (("x", 60), ("a/b/c", 1)):
        call = tool_call("write_file", _dry_run=True, path=path, content="x" * size)
        with pytest.raises(ToolError) as caught:
            await parts.executor.run(call)
        assert caught.value.code == "quota_exceeded"
    await parts.executor.run(tool_call("write_file", _dry_run=True, path="x", content="x" * 40))
    await parts.close()
    assert os.listdir(demo) == ["old"]


async def test_several_files_are_bounded_in_bytes(call, demo):
    """A character of three bytes counts three."""
    for number in range(4):
        (demo / f"f{number}").write_text("€" * (MIB // 6))
    output = (await call("read_files", paths=[f"f{number}" for number in range(4)])).output
    sizes = [len(item["content"].encode()) for item in output["files"]]
    assert sizes[:2] == [MIB // 6 * 3] * 2
    assert sum(sizes) <= MIB


# One place, one name

TWICE = """\
--- a/f
+++ b/f
@@ -1 +1 @@
-old
+new
--- a/./f
+++ b/./f
@@ -1 +1 @@
-old
+newer
"""
IN_ITSELF = """\
--- /dev/null
+++ b/new
@@ -0,0 +1 @@
+1
--- /dev/null
+++ b/new/below
@@ -0,0 +1 @@
+1
"""


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("patch", [TWICE, IN_ITSELF])
async def test_a_patch_changes_each_place_once(call, demo, data_dir, patch, dry_run):
    """One edit was lost, both were claimed; the preview says so as well."""
    (demo / "f").write_text("old\n")
    with pytest.raises(ToolError, match=r"cannot change '(f|new/below)' twice"):
        await call("apply_patch", _dry_run=dry_run, patch=patch)
    assert ((demo / "f").read_text(), os.listdir(demo)) == ("old\n", ["f"])
    await call("write_file", path="x", content="1")
    assert usage_of(data_dir) == taken_up(data_dir)


async def test_a_patchs_hashes_are_compared_by_parsed_path(call, demo):
    """`./f` is `f`, in the patch and in what it expects; receipts name the one way to write it."""
    (demo / "f").write_text("old\n")
    patch = "--- a/./f\n+++ b/./f\n@@ -1 +1 @@\n-old\n+new\n"
    for expected in ({"f": "0" * 64}, {"f/": "0" * 64}, {"f": "0" * 64, "./f": "1" * 64}):
        with pytest.raises(ToolError):
            await call("apply_patch", patch=patch, expected_sha256=expected)
    result = await call("apply_patch", patch=patch)
    assert (result.output["files"], result.receipts[0].path) == (["f"], "f")


async def test_a_file_moved_onto_its_twin_leaves_its_old_name(call, demo, data_dir):
    """rename(2) does nothing when both names are links to one file; a move still is one."""
    (demo / "a").write_text("same")
    os.link(demo / "a", demo / "b")
    result = await call("move_path", source="a", destination="b", overwrite=True)
    assert (os.listdir(demo), (demo / "b").read_text()) == (["b"], "same")
    assert [item.path for item in result.receipts] == ["a", "b"]
    assert usage_of(data_dir) == taken_up(data_dir) == (4, 1)
