"""Names in the headers of diffs: read back as they are, by us and by git, and never as a line."""

import os
import subprocess

import pytest

from common.files.patch_parser import parse
from common.files.paths import show
from common.files.quoting import header, quoted, renaming, unquoted
from execution_environment.toolkit import diffs

FORGED = "f\n--- a/g\n+++ b/g\n@@ -1 +1 @@\n-old\n+new\n"
NAMES = [
    b"plain", b" leading and trailing ", b'quo"te', b"back\\slash", b"tab\there", b"new\nline",
    b"\x1b[31m", b"\x7f\x01", b"\xff\xfe", "käse ☃".encode(), "\u202ertl\u2028".encode(), b"...",
    b'"', b"a b/c d", b"-- x", FORGED.replace("/", "|").encode(), b"\\x41", b"\\101",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_diff_is_read_back_as_it_was_written(name):
    """From one line without control characters."""
    written = header("a/", show(name))
    assert unquoted(written) == show(b"a/" + name)
    assert written.removesuffix("\t").isprintable()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("käse", "käse"),
        ("new\nline", '"new\\nline"'),
        ("\\xff\\x1b", '"\\377\\033"'),
        ('a"\\\\b', '"a\\"\\\\b"'),
        ("./a//b", "a/b"),
        ("a b", "a b"),
        ("a ", '"a "'),
        ("\u2028", '"\\342\\200\\250"'),
    ],
)
def test_names_in_diffs_are_quoted_as_git_does(path, expected):
    """What is printable stays as it is, but for a space at the end, which people's editors cut."""
    assert quoted(path) == expected


@pytest.mark.parametrize("name", NAMES)
async def test_a_diff_of_ours_applies_whatever_the_name(call, name):
    """What was shown for one change makes the same change elsewhere."""
    path = show(name)
    await call("write_file", path=path, content="old\n")
    edit = {"path": path, "edits": [{"old_text": "old", "new_text": "new"}]}
    diff = (await call("edit_file", **edit)).output["diff"]
    await call("write_file", path=path, content="old\n", mode="replace")
    assert (await call("apply_patch", patch=diff)).output["files"] == [path]
    assert (await call("read_file", path=path)).output["content"] == "new\n"


@pytest.mark.parametrize("name", NAMES)
def test_git_applies_a_diff_of_ours_whatever_the_name(tmp_path, name):
    """It is git's form, so git has to read it."""
    file = tmp_path / "tree" / os.fsdecode(name)
    file.parent.mkdir(parents=True)
    file.write_text("old\n")
    (tmp_path / "p").write_text(diffs.diff(show(name), b"old\n", b"new\n"))
    subprocess.run(["git", "apply", "../p"], cwd=tmp_path / "tree", check=True)
    assert file.read_text() == "new\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_renaming_is_read_back_whatever_the_names(name):
    """git's own lines take no tab after the name, so one that ends with a space is quoted."""
    old, new = show(name), show(b"dir/" + name)
    [file] = parse(renaming(old, new))
    assert (file.old_path, file.new_path, file.hunks) == (old, new, ())


async def test_a_name_forges_no_lines_of_a_diff(call):
    """A newline in it made hunks of a file that nobody had changed; also where there is no diff."""
    path = "f\n--- a/g"
    made = await call("write_file", path=path, content="x\n")
    binary = await call("write_file", path=path, content="AP8=", encoding="base64", mode="replace")
    long = await call("write_file", path=path, content="x" * 100_000, mode="replace")
    for result, lines in ((made, 4), (binary, 1), (long, 1)):
        assert result.output["diff"].count("\n") == lines
        assert "\n--- a/g" not in result.output["diff"]
