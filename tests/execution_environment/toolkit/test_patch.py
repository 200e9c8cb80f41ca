"""Patches as git, diff and language models write them; what does not apply says where and why."""

import difflib
import random
import subprocess
import time

import pytest

from common.errors import ToolError
from common.files.patch_parser import parse
from execution_environment.toolkit.patch import apply

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


def test_a_hunk_that_does_not_apply_shows_what_is_expected_shortened():
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
def test_a_patch_that_diff_made_is_applied_as_git_does(seed, tmp_path):
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
def test_a_search_in_vain_for_a_hunks_place_is_bounded():
    """Lines that are all alike fit almost everywhere: 9 s for these before there was a bound."""
    count = 200_000
    alike = " x\n" * (count - 1)
    patch = f"--- f\n+++ f\n@@ -1,{count} +1,{count} @@\n{alike}-y\n+z\n"
    started = time.process_time()
    with pytest.raises(ToolError):
        patched(patch, "x\n" * 2 * count)
    assert time.process_time() - started < 5


def test_a_patch_of_ten_megabytes_is_read_in_one_go():
    """No pass over the whole for each line; the test's own timeout is the bound."""
    hunk = "".join(f"+{number}\n" for number in range(1_000_000))
    patch = f"--- /dev/null\n+++ b/f\n@@ -0,0 +1,1000000 @@\n{hunk}"
    assert patched(patch, "").count("\n") == 1_000_000
