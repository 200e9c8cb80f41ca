"""Patches as git, diff and language models write them; what does not apply says where and why."""

import asyncio
import difflib
import random
import shutil
import subprocess
import time

import pytest

from common.errors import ToolError
from execution_environment.toolkit.patch import apply
from execution_environment.toolkit.patch_parser import parse

ONE = "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
EDIT = "--- f\n+++ f\n@@ -1 +1 @@\n-a\n+A\n"
NO_NEWLINE = "\\ No newline at end of file\n"


def patched(patch, content):
    """Apply a patch of one file."""
    [file] = parse(patch)
    return apply(file, content)


@pytest.mark.parametrize(
    ("patch", "before", "after"),
    [
        (ONE, "a\nb\nc\n", "a\nB\nc\n"),
        (ONE.replace("\n", "\r\n"), "a\nb\nc\n", "a\nB\nc\n"),
        (ONE.removesuffix("\n"), "a\nb\nc\n", "a\nB\nc\n"),
        ("Sure! Here it is:\n\n" + ONE, "a\nb\nc\n", "a\nB\nc\n"),
        (ONE.replace("1,3", "7,3"), "x\ny\na\nb\nc\n", "x\ny\na\nB\nc\n"),
        ("--- f\n+++ f\n@@ -1 +1,2 @@\n-a\n+b\n+c\n", "a\n", "b\nc\n"),
        ("--- f\n+++ f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n", "a", "a\n"),
        ("--- f\n+++ f\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n", "a\n", "a"),
        ("--- f\n+++ f\n@@ -1,0 +2 @@\n+b\n", "a\nc\n", "a\nb\nc\n"),
        ("--- f\n+++ f\n@@ -1,3 +1,3 @@\n a\n\n-b\n+B\n", "a\n\nb\n", "a\n\nB\n"),
        ("--- f\n+++ f\n@@ -1,2 +1,1 @@\n---x\n a\n-- \n2.39\n", "--x\na\n", "a\n"),
        (
            "--- f\n+++ f\n@@ -1 +1,2 @@\n-a\n+A\n+x\n@@ -5 +6 @@\n-e\n+E\n",
            "a\nb\nc\nd\ne\n",
            "A\nx\nb\nc\nd\nE\n",
        ),
        (EDIT.replace("-1", "-3"), "a\nx\ny\nx\na\n", "a\nx\ny\nx\nA\n"),
        (EDIT.replace("-1", "-8"), 6 * "x\n" + "a\nx\na\nx\n", 6 * "x\n" + "a\nx\nA\nx\n"),
        (EDIT + NO_NEWLINE, "a\nb\n", "A\nb\n"),
        ("--- f\n+++ f\n@@ -1,0 +2 @@\n+b\n", "a", "a\nb\n"),
        ("--- f\n+++ f\n@@ -9,0 +10 @@\n+b\n", "a\n", "a\nb\n"),
        ("--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+B\r\n", "a\nb\n", "a\nB\n"),
        ("--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\r\n+B\r\n", "a\nb\r\n", "a\nB\r\n"),
        ("--- f\n+++ f\n@@ -1 +1 @@\n-a\n+a\r\n", "a\n", "a\r\n"),
        ("--- f\r\n+++ f\r\n@@ -1 +1 @@\n-a\n+A\n", "a\n", "A\n"),
        (
            "--- f\n+++ f\n@@ -1 +1,2 @@\n-x\n" + NO_NEWLINE + "+a\r\n+b\n" + NO_NEWLINE,
            "x",
            "a\r\nb",
        ),
    ],
)
def test_a_patch_applies(patch, before, after):
    """Exactly, at its place or the nearest one where its lines stand: what GNU patch gives."""
    assert patched(patch, before) == after


@pytest.mark.parametrize(
    ("patch", "old", "new"),
    [
        (ONE, "f", "f"),
        (ONE.replace("a/f", "/dev/null").replace("-1,3", "-0,0"), None, "f"),
        ("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "f", None),
        ("--- x/f\t2026-01-01\n+++ x/f\t2026-01-02\n@@ -1 +1 @@\n-a\n+b\n", "x/f", "x/f"),
        ('--- "a/\\303\\244\\t"\n+++ "b/\\303\\244\\t"\n@@ -1 +1 @@\n-a\n+b\n', "ä\\x09", "ä\\x09"),
        ("diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n", "f", "g"),
        ("diff --git a/f b/f\nnew file mode 100644\nindex 0..0\n", None, "f"),
        ("diff --git a/f b/f\ndeleted file mode 100644\nindex 0..0\n", "f", None),
        ("diff --git a/x b/y b/x b/y\nnew file mode 100644\n", None, "x b/y"),
        ('diff --git "a/\\303\\244" "b/\\303\\244"\nnew file mode 100644\n', None, "ä"),
        ("diff --git f f\ndeleted file mode 100644\n", "f", None),
        ("--- a/f \t\n+++ b/f \t\n@@ -1 +1 @@\n-a\n+b\n", "f ", "f "),
        ("--- /dev/nulls\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n", "/dev/nulls", "b/f"),
        ("diff --git a/f b/g\nrename from f\nrename to g\n--- a/f\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n", "f", "g"),
    ],
)  # fmt: skip
def test_paths_are_read_as_they_are_meant(patch, old, new):
    """Prefixes, times, quotes, renames, files that come and go."""
    if old is None and "@@" in patch:
        patch = "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n"
    [file] = parse(patch)
    assert (file.old_path, file.new_path) == (old, new)


@pytest.mark.parametrize(
    ("patch", "detail", "hint"),
    [
        ("", "names no file", "'---' and '+++'"),
        ("hello\nworld\n", "names no file", "'---' and '+++'"),
        ("@@ -1 +1 @@\n-a\n+b\n", "Line 1 of the patch: a hunk without a file", "Begin"),
        ("--- a/f\n+++ b/f\nhello\n", "Line 3 of the patch: a file without hunks", "@@"),
        ("--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n", "hunk 1 ends too early", "Count"),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n-b\n+c\n", "not as long", "Count"),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n+c\n", "goes on after its end", "Count"),
        ("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-a\n*b\n+c\n", "not as long", "Count"),
        (ONE + ONE, "twice", "together"),
        ("diff --git a/f b/f\nBinary files a/f and b/f differ\n", "binary", "as a whole"),
        ("diff --git a/f b/f\nold mode 100644\nnew mode 100755\n", "without hunks", "Modes"),
        ("--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", "without a path", "names the file"),
        ('--- "a/f\n+++ "b/f\n@@ -1 +1 @@\n-a\n+b\n', "without a path", "names the file"),
        ("--- a/\n+++ b/\n@@ -1 +1 @@\n-a\n+b\n", "without a path", "names the file"),
        (EDIT + "Binary files a/x and b/x differ\n", "Line 6 of the patch: a binary", "as a whole"),
        ("diff --git a/f b/f\nGIT binary patch\nliteral 1\n", "binary patch ('f')", "as a whole"),
        ("diff --git a/f b/g\ncopy from f\ncopy to g\n" + EDIT, "a copy of 'f'", "/dev/null"),
        ("diff --git a/f b/g\nrename from f\nrename to g\n" + EDIT, "rename of another", "same"),
        ("diff --git a/f b/f\nindex 0..1\n", "without hunks ('f')", "A hunk begins"),
        (
            "--- f\n+++ f\n@@ -1 +1,2 @@\n-a\n+A\n" + NO_NEWLINE + "+B\n",
            "hunk 1 goes on after its file's last line ('f')",
            "last line",
        ),
    ],
)
def test_what_is_no_patch_is_refused(patch, detail, hint):
    """With the line and what to do about it."""
    with pytest.raises(ToolError) as caught:
        parse(patch)
    assert caught.value.code == "patch_failed"
    assert detail in caught.value.detail
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("a\nX\nc\n", "Line 2: expected 'b\\n', found 'X\\n'."),
        ("a\nB\nc\n", "Line 1 reads as if it had been applied already."),
        ("a\nb\n", "Line 3: expected 'c\\n', found the end of the file."),
        ("a\nb\nc", "Line 3: expected 'c\\n', found 'c'."),
    ],
)
def test_a_hunk_that_does_not_apply_says_where(content, hint):
    """The first line that differs, or that it was applied before."""
    with pytest.raises(ToolError) as caught:
        patched(ONE, content)
    assert caught.value.detail == "Hunk 1 of 'f' does not apply"
    assert caught.value.hint == hint


def test_a_refusal_names_the_file_the_hunk_and_the_line():
    """A long patch over many files has to be mended in one place."""
    with pytest.raises(ToolError) as caught:
        parse(ONE + "--- a/g\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n@@ -5,2 +5 @@\n-a\n+b\n")
    assert caught.value.detail == "Line 16 of the patch: hunk 2 ends too early ('g')"
    assert caught.value.context.path == "g"


def test_what_is_expected_is_shown_shortened():
    """A line may be as long as a file."""
    patch = f"--- f\n+++ f\n@@ -1 +1 @@\n-{'a' * 1000}\n+b\n"
    with pytest.raises(ToolError) as caught:
        patched(patch, "c" * 1000)
    assert caught.value.hint == f"Line 1: expected {'a' * 80!r}, found {'c' * 80!r}."


def test_hunks_apply_in_their_order():
    """One that stands before the end of the one before it is refused."""
    patch = "--- f\n+++ f\n@@ -2 +2 @@\n-b\n+B\n@@ -1 +1 @@\n-a\n+A\n"
    with pytest.raises(ToolError) as caught:
        patched(patch, "a\nb\n")
    assert "in order" in caught.value.hint


@pytest.mark.parametrize("seed", range(40))
def test_what_diff_makes_is_applied_as_git_does(seed, tmp_path):
    """Random texts, several hunks, with and without a newline at the end, moved down by a line."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    old = [f"line {chance.randint(0, 30)}\n" for _ in range(chance.randint(1, 60))]
    new = [line for line in old if chance.random() > 0.1]
    for _ in range(chance.randint(1, 5)):
        new.insert(chance.randint(0, len(new)), f"new {chance.random()}\n")
    for lines in (old, new):
        if chance.random() < 0.3:
            lines[-1] = lines[-1].removesuffix("\n")
    patch = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old, new, "a/f", "b/f")
    )
    assert patched(patch, "".join(old)) == "".join(new)
    assert patched(patch, "first\n" + "".join(old)) == "first\n" + "".join(new)
    (tmp_path / "f").write_text("".join(old))
    (tmp_path / "p").write_text(patch)
    subprocess.run(["git", "apply", "p"], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "f").read_text() == "".join(new)


@pytest.mark.parametrize("seed", range(20))
def test_several_files_in_one_patch_each_get_their_own(seed):
    """Created, emptied and changed files, with and without a newline at the end."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    pairs = [(text(chance), text(chance)) for _ in range(5)]
    pairs = [(old, new) for old, new in pairs if old != new]
    patch = "Several files.\n" + "".join(
        line if line.endswith("\n") else f"{line}\n{NO_NEWLINE}"
        for number, (old, new) in enumerate(pairs)
        for line in difflib.unified_diff(
            old.splitlines(True), new.splitlines(True), f"a/{number}", f"b/{number}"
        )
    )
    files = parse(patch)
    assert [file.path for file in files] == [str(number) for number in range(len(pairs))]
    for file, (old, new) in zip(files, pairs, strict=True):
        assert apply(file, old) == new


def text(chance):
    """Return a few lines out of few, so that many are alike."""
    lines = "".join(f"{chance.choice('abc ')}\n" for _ in range(chance.randint(0, 30)))
    return lines.removesuffix("\n") if chance.random() < 0.3 else lines


@pytest.mark.timeout(30)
def test_a_search_in_vain_is_bounded():
    """Lines that are all alike fit almost everywhere: 9 s for these before there was a bound."""
    count = 200_000
    alike = " x\n" * (count - 1)
    patch = f"--- f\n+++ f\n@@ -1,{count} +1,{count} @@\n{alike}-y\n+z\n"
    started = time.process_time()
    with pytest.raises(ToolError):
        patched(patch, "x\n" * 2 * count)
    assert time.process_time() - started < 5


def test_ten_megabytes_are_read_in_one_go():
    """No pass over the whole for each line; the test's own timeout is the bound."""
    hunk = "".join(f"+{number}\n" for number in range(1_000_000))
    patch = f"--- /dev/null\n+++ b/f\n@@ -0,0 +1,1000000 @@\n{hunk}"
    assert patched(patch, "").count("\n") == 1_000_000


# The tool


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


async def test_several_files_change_together(call, tree):
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


async def test_what_a_patch_did_is_a_patch_that_does_it(call, tree, tmp_path):
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


async def test_a_preview_changes_nothing(call, tree):
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
async def test_all_or_nothing(call, tree, spoil, code):
    """One file that does not fit, and none is changed."""
    spoil(tree)
    before = contents(tree)
    with pytest.raises(ToolError) as caught:
        await call("apply_patch", patch=ALL)
    assert caught.value.code == code
    assert contents(tree) == before


async def test_a_patch_may_expect_hashes(call, tree):
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


async def test_a_patch_never_replaces_what_it_does_not_know(call, tree):
    """Creating or renaming onto a file that is there."""
    (tree / "dir").mkdir()
    (tree / "dir/there").write_text("precious")
    with pytest.raises(ToolError) as caught:
        await call("apply_patch", patch=ALL)
    assert (caught.value.code, caught.value.context.path) == ("already_exists", "dir/there")


async def test_added_lines_take_the_endings_of_the_file(call, demo):
    """A patch that mixes them makes no line of two returns."""
    (demo / "f").write_bytes(b"a\r\nb\r\n")
    patch = "--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n a\n+new\r\n b\n"
    await call("apply_patch", patch=patch)
    assert (demo / "f").read_bytes() == b"a\r\nnew\r\nb\r\n"
