"""apply_patch: several files together, or none of them."""

import asyncio
import os
import shutil

import pytest

from common.errors import ToolError
from tests.execution_environment.conftest import taken_up, usage_of

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
ALL = """\
diff --git a/changed b/changed
--- a/changed
+++ b/changed
@@ -1 +1 @@
-old
+new
--- /dev/null
+++ b/dir/made
@@ -0,0 +1 @@
+made
--- /dev/null
+++ b/dir/deep/too
@@ -0,0 +1 @@
+too
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-gone
diff --git a/here b/dir/there
similarity index 100%
rename from here
rename to dir/there
diff --git a/run.sh b/dir/run.sh
rename from run.sh
rename to dir/run.sh
--- a/run.sh
+++ b/dir/run.sh
@@ -1 +1 @@
-echo
+echo hi
"""


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("patch", [TWICE, IN_ITSELF])
async def test_apply_patch_changes_each_place_once(call, demo, data_dir, patch, dry_run):
    """One edit was lost, both were claimed; the preview says so as well."""
    (demo / "f").write_text("old\n")
    with pytest.raises(ToolError, match=r"cannot change '(f|new/below)' twice"):
        await call("apply_patch", _dry_run=dry_run, patch=patch)
    assert ((demo / "f").read_text(), os.listdir(demo)) == ("old\n", ["f"])
    await call("write_file", path="x", content="1")
    assert usage_of(data_dir) == taken_up(data_dir)


async def test_apply_patch_compares_hashes_by_parsed_path(call, demo):
    """`./f` is `f`, in the patch and in what it expects; receipts name the one way to write it."""
    (demo / "f").write_text("old\n")
    patch = "--- a/./f\n+++ b/./f\n@@ -1 +1 @@\n-old\n+new\n"
    for expected in ({"f": "0" * 64}, {"f/": "0" * 64}, {"f": "0" * 64, "./f": "1" * 64}):
        with pytest.raises(ToolError):
            await call("apply_patch", patch=patch, expected_sha256=expected)
    result = await call("apply_patch", patch=patch)
    assert (result.output["files"], result.receipts[0].path) == (["f"], "f")


@pytest.fixture
def tree(demo):
    """What the patch above starts from."""
    for name, content in (("changed", "old\r\n"), ("gone", "gone\n"), ("here", "here\n")):
        (demo / name).write_bytes(content.encode())
    (demo / "run.sh").write_text("echo\n")
    (demo / "run.sh").chmod(0o755)
    return demo


def contents(tree):
    """Return all files with what they hold."""
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}  # fmt: skip


async def test_apply_patch_changes_several_files_together(call, tree):
    """Created, changed with their own line endings, deleted, renamed with their mode."""
    result = await call("apply_patch", patch=ALL)
    assert contents(tree) == {
        "changed": b"new\r\n", "dir/made": b"made\n", "dir/deep/too": b"too\n",
        "dir/there": b"here\n", "dir/run.sh": b"echo hi\n",
    }  # fmt: skip
    assert (tree / "dir/run.sh").stat().st_mode & 0o777 == 0o755
    assert result.output["files"] == [
        "changed", "dir/made", "dir/deep/too", "gone", "dir/there", "dir/run.sh",
    ]  # fmt: skip
    assert [(receipt.path, receipt.operation) for receipt in result.receipts] == [
        ("changed", "replace"), ("dir/made", "create"), ("dir/deep/too", "create"),
        ("gone", "delete"), ("here", "move"), ("dir/there", "move"), ("dir/run.sh", "create"),
        ("run.sh", "delete"), ("dir", "create"), ("dir/deep", "create"),
    ]  # fmt: skip


async def test_apply_patch_returns_a_patch_that_does_the_same(call, tree, tmp_path):
    """A file that was deleted was shown as emptied, and one that was renamed not at all."""
    shutil.copytree(tree, tmp_path / "first")
    shutil.copytree(tree, tmp_path / "git")
    diff = (await call("apply_patch", patch=ALL)).output["diff"]
    done = contents(tree)
    shutil.rmtree(tree)
    shutil.copytree(tmp_path / "first", tree)
    assert (await call("apply_patch", patch=diff)).output["diff"] == diff
    assert contents(tree) == done
    (tmp_path / "p").write_text(diff, newline="")
    applied = await asyncio.create_subprocess_exec("git", "apply", "../p", cwd=tmp_path / "git")
    assert await applied.wait() == 0
    assert contents(tmp_path / "git") == done


async def test_apply_patch_as_a_dry_run_changes_nothing(call, tree):
    """The same receipts and diff as the real thing."""
    before = contents(tree)
    preview = await call("apply_patch", _dry_run=True, patch=ALL)
    assert contents(tree) == before
    real = await call("apply_patch", patch=ALL)
    assert (preview.output, preview.receipts) == (real.output, real.receipts)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda tree: (tree / "run.sh").write_text("else\n"), "patch_failed"),
        (lambda tree: (tree / "gone").write_text("gone\nmore\n"), "patch_failed"),
        (lambda tree: (tree / "gone").unlink(), "path_not_found"),
        (lambda tree: (tree / "dir").write_text("a file"), "not_a_directory"),
        (lambda tree: (tree / "changed").write_bytes(b"\xff"), "binary_file"),
    ],
)
async def test_apply_patch_is_all_or_nothing(call, tree, spoil, code):
    """One file that does not fit, and none is changed."""
    spoil(tree)
    before = contents(tree)
    with pytest.raises(ToolError) as caught:
        await call("apply_patch", patch=ALL)
    assert caught.value.code == code
    assert contents(tree) == before


async def test_apply_patch_may_expect_hashes(call, tree):
    """Of the files that it names."""
    sha = (await call("get_file_info", path="changed")).output["sha256"]
    for expected, code in (
        ({"changed": "0" * 64}, "hash_mismatch"),
        ({"dir/made": "0" * 64}, "hash_mismatch"),
        ({"other": sha}, "invalid_arguments"),
    ):
        with pytest.raises(ToolError) as caught:
            await call("apply_patch", patch=ALL, expected_sha256=expected)
        assert caught.value.code == code
    await call("apply_patch", patch=ALL, expected_sha256={"changed": sha})


async def test_apply_patch_never_replaces_what_it_does_not_know(call, tree):
    """Creating or renaming onto a file that is there."""
    (tree / "dir").mkdir()
    (tree / "dir/there").write_text("precious")
    with pytest.raises(ToolError) as caught:
        await call("apply_patch", patch=ALL)
    assert (caught.value.code, caught.value.context.path) == ("already_exists", "dir/there")


async def test_apply_patch_gives_added_lines_the_endings_of_the_file(call, demo):
    """A patch that mixes them makes no line of two returns."""
    (demo / "f").write_bytes(b"a\r\nb\r\n")
    patch = "--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n a\n+new\r\n b\n"
    await call("apply_patch", patch=patch)
    assert (demo / "f").read_bytes() == b"a\r\nnew\r\nb\r\n"
