"""Diffs of files with any name: applied by us and by git, and no name forges a line."""

import os
import subprocess

import pytest

from common.files.paths import show
from execution_environment.toolkit import diffs
from tests.common.files.test_quoting import NAMES


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


async def test_a_name_forges_no_lines_of_a_diff(call):
    """A newline in it made hunks of a file that nobody had changed; also where there is no diff."""
    path = "f\n--- a/g"
    made = await call("write_file", path=path, content="x\n")
    binary = await call("write_file", path=path, content="AP8=", encoding="base64", mode="replace")
    long = await call("write_file", path=path, content="x" * 100_000, mode="replace")
    for result, lines in ((made, 4), (binary, 1), (long, 1)):
        assert result.output["diff"].count("\n") == lines
        assert "\n--- a/g" not in result.output["diff"]
