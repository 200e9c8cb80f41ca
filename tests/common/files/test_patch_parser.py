"""Patches are read as they are meant; what is none is refused with the line and what to do about it."""

import pytest

from common.errors import ToolError
from common.files.patch_parser import parse

ONE = "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
EDIT = "--- f\n+++ f\n@@ -1 +1 @@\n-a\n+A\n"
NO_NEWLINE = "\\ No newline at end of file\n"


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
def test_paths_in_a_patch_are_read_as_they_are_meant(patch, old, new):
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


def test_a_refusal_of_a_patch_names_the_file_the_hunk_and_the_line():
    """A long patch over many files has to be mended in one place."""
    with pytest.raises(ToolError) as caught:
        parse(ONE + "--- a/g\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n@@ -5,2 +5 @@\n-a\n+b\n")
    assert caught.value.detail == "Line 16 of the patch: hunk 2 ends too early ('g')"
    assert caught.value.context.path == "g"
