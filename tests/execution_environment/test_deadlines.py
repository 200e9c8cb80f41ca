"""What a call may compute: its deadline holds, or its input is bounded, whatever it is made of."""

import os
import random
import time

import pytest

from common.errors import AgenticError, SystemFault
from common.files import patch_parser
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox import walking
from execution_environment.sandbox.limits import Usage
from execution_environment.toolkit import diffs, patch
from tests.execution_environment.conftest import MIB, tool_call
from tests.execution_environment.searching.patterns import SLOW, slow_text

SOON = 10
"""Seconds within which all of it has to be over: what is bounded takes a fraction of one."""


async def ended(pending) -> AgenticError:
    """Return the error that a call ends with, soon."""
    begun = time.monotonic()
    with pytest.raises(AgenticError) as caught:
        await pending
    assert time.monotonic() - begun < SOON
    return caught.value


async def answered(pending):
    """Return what a call answers, soon."""
    begun = time.monotonic()
    result = await pending
    assert time.monotonic() - begun < SOON
    return result.output


async def test_a_search_pattern_that_takes_minutes_ends_at_the_deadline(call, demo):
    """340 characters over a third of a megabyte; RE2 cannot be interrupted."""
    (demo / "x").write_bytes(slow_text())
    error = await ended(call("search_files", {"timeout": 1}, pattern=SLOW))
    assert (error.code, error.outcome) == ("deadline_exceeded", "not_executed")


async def test_context_of_a_search_costs_what_is_shown_of_it(call, demo):
    """Not the whole file once more for each occurrence."""
    (demo / "x").write_text("ab\n" * 300_000)
    output = await answered(
        call("search_files", {"timeout": 5}, pattern="a", context=20, limit=1000)
    )
    assert (output["total"], output["truncated"]) == (300_000, True)
    assert output["matches"][30]["before"] == ["ab"] * 20


async def test_a_search_returns_no_more_text_than_can_be_shown(call, demo):
    """1,000 occurrences with 40 long lines around each would be 20 MB."""
    (demo / "x").write_text(("a" * 500 + "\n") * 2000)
    output = await answered(call("search_files", pattern="^a", context=20, limit=1000))
    assert len(str(output["matches"])) < 2_000_000
    assert (output["total"], output["truncated"]) == (2000, True)


async def test_search_files_skips_a_sparse_file_by_its_size(call, demo):
    """It is not read to find out that it is too large."""
    with (demo / "sparse").open("wb") as file:
        file.truncate(2**40)
    output = await answered(call("search_files", {"timeout": 5}, pattern="a"))
    assert (output["files_searched"], output["files_skipped"]) == (0, 1)


async def test_edit_file_finds_a_hint_in_the_beginning_of_long_lines(call, demo):
    """difflib takes minutes for two long lines; what they begin with tells enough."""
    chance = random.Random(1)  # noqa: S311  # to be repeated, not to be secret
    letters = [chr(0x100 + number) for number in range(150)]
    line, other = ("".join(chance.choices(letters, k=60_000)) for _ in range(2))
    (demo / "x").write_text(f"first\n{line}\n")
    edits = [{"old_text": line[:200] + other, "new_text": ""}]
    error = await ended(call("edit_file", {"timeout": 5}, path="x", edits=edits))
    assert error.code == "text_not_found"
    assert error.hint.startswith("Line 2 comes closest")


async def test_missing_paths_get_a_few_guesses_and_no_more(call, demo):
    """Each was compared with all that is there."""
    for number in range(1000):
        (demo / f"{number:04d}-{'ab' * 60}").touch()
    paths = [f"{number:04d}-{'ba' * 60}" for number in range(40)]
    files = (await answered(call("read_files", {"timeout": 5}, paths=paths)))["files"]
    hints = [item["error"]["hint"].startswith("Did you mean") for item in files]
    assert sum(hints) == 3


async def test_guesses_of_missing_paths_are_kept_for_errors(call, demo):
    """What a patch creates is missing before, as it should be."""
    (demo / "main.py").touch()
    new = "".join(f"--- /dev/null\n+++ {n}\n@@ -0,0 +1 @@\n+x\n" for n in range(5))
    wrong = "--- mian.py\n+++ mian.py\n@@ -1 +1 @@\n-a\n+b\n"
    assert "main.py" in (await ended(call("apply_patch", patch=new + wrong))).hint


def test_a_walk_looks_at_the_clock_within_one_directory(demo):
    """A crowded one takes seconds by itself."""
    for number in range(3000):
        (demo / str(number)).touch()
    root, looks = os.open(demo, os.O_RDONLY), []
    entries = walking.read_directory(root, (), (), lambda: looks.append(1))
    os.close(root)
    assert (len(entries), len(looks)) == (3000, 3)


async def test_a_thousand_insertions_of_edit_file_cost_little_more_than_one(call, demo):
    """A file of newlines is not split and joined for each of them."""
    (demo / "x").write_text("\n" * 1_000_000)
    edits = [{"insert_at_line": 500_001 + n, "text": f"{n}"} for n in range(1000)]
    output = await answered(call("edit_file", {"timeout": 5}, path="x", edits=edits))
    assert output["counts"] == [1] * 1000
    lines = (demo / "x").read_text().split("\n")
    assert lines[500_000:501_001] == [*map(str, range(1000)), ""]


async def test_edit_file_makes_no_text_too_large_to_be_written(call, demo):
    """A million replacements of a letter by a megabyte are a terabyte: nothing could hold them."""
    (demo / "x").write_text("a" * MIB)
    edits = [{"old_text": "a", "new_text": "b" * MIB, "expected_count": MIB}]
    error = await ended(call("edit_file", path="x", edits=edits))
    assert (error.code, error.context.actual) == ("file_too_large", MIB * MIB)


def test_the_diff_of_a_small_change_in_a_large_file_is_found_at_once():
    """Only what differs is taken apart into lines."""
    before = b"\n" * 8 * MIB
    begun = time.monotonic()
    diff = diffs.diff("f", before, before[: 4 * MIB] + b"x\n" + before[4 * MIB :])
    assert time.monotonic() - begun < SOON / 4
    assert diff.splitlines()[2:] == ["@@ -4194302,6 +4194302,7 @@", *[" "] * 3, "+x", *[" "] * 3]


async def test_a_patch_of_too_many_lines_is_refused_by_their_number(call):
    """Twenty million newlines; each would be looked at, and take memory."""
    error = await ended(call("apply_patch", {"timeout": 2}, patch="\n" * 20_000_000))
    assert (error.code, error.hint) == ("patch_failed", "Give it in parts.")


async def test_apply_patch_takes_no_file_of_too_many_lines_apart(assemble, demo):
    """Each takes memory of its own, many times what it takes in the file."""
    large = ServiceLimits(4 * MIB, 4 * MIB, Usage(100 * MIB, 100))
    parts = assemble(allowed=large)
    (demo / "f").write_text("\n" * 2 * MIB)
    patch = "--- f\n+++ f\n@@ -1 +1 @@\n-\n+x\n"
    error = await ended(parts.executor.run(tool_call("apply_patch", patch=patch)))
    assert error.detail == "'f' has more than 1048576 lines"
    await parts.close()


def test_a_patch_is_read_with_an_eye_on_the_clock():
    """Between files, and within what is none, or within one hunk."""
    hunk = "--- f\n+++ f\n@@ -0,0 +1,5000 @@\n" + "+x\n" * 5000
    git = "diff --git a/f b/f\n" + "similarity\n" * 5000
    for text in ("talk\n" * 5000, hunk, git):
        with pytest.raises(SystemFault):
            patch_parser.parse(text, time_is_up)


def test_the_place_of_a_hunk_is_looked_for_with_an_eye_on_the_clock():
    """Up to two million lines are compared for it."""
    [file] = patch_parser.parse("--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n")
    with pytest.raises(SystemFault):
        patch.apply(file, "x\n", time_is_up)


async def test_a_path_in_a_patch_is_read_as_far_as_one_can_be_long(call):
    """Not tens of megabytes, one unprintable character after the other."""
    patch = f"--- {chr(1) * 12_000_000}\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
    assert (await ended(call("apply_patch", patch=patch))).code == "path_not_allowed"


def time_is_up():
    """A clock past the deadline."""
    raise SystemFault("deadline_exceeded", "time is up")


@pytest.fixture
def sparse(demo):
    """The size of a file without anything in it but a little at one place."""
    with (demo / "sparse").open("wb") as file:
        file.truncate(2**40)
        file.seek(2**39)
        file.write("zwei\nä\n".encode())
    return 2**40


@pytest.mark.parametrize(
    ("window", "content", "lines"),
    [
        ({"offset": 2**39, "max_bytes": 6}, "zwei\n", (None, None)),
        ({"offset": 2**39 + 6, "max_bytes": 2}, "\n", (None, None)),
        ({"max_bytes": 3}, "\0\0\0", (1, 1)),
        ({"offset": 2**50}, "", (None, None)),
        ({"offset": 2**70}, "", (None, None)),
        ({}, "\0" * MIB, (1, 1)),
    ],
)
async def test_read_file_has_a_window_of_a_terabyte_at_once(call, sparse, window, content, lines):
    """Only its hash takes reading all of it."""
    arguments = {"path": "sparse", "hash": False, **window}
    output = await answered(call("read_file", {"timeout": 2}, **arguments))
    assert output["content"] == content
    assert (output["start_line"], output["end_line"]) == lines
    assert (output["size"], output["sha256"], output["total_lines"]) == (sparse, None, None)


async def test_read_file_reads_a_window_of_lines_no_further_than_it_goes(call, demo):
    """The lines after it may be a terabyte."""
    with (demo / "x").open("wb") as file:
        file.write(b"one\ntwo\nthree\n")
        file.truncate(2**40)
    window = {"start_line": 2, "max_lines": 2, "hash": False}
    output = await answered(call("read_file", {"timeout": 2}, path="x", **window))
    assert (output["content"], output["truncated"]) == ("two\nthree\n", True)
    assert (output["start_line"], output["end_line"]) == (2, 3)


async def test_get_file_info_of_a_terabyte_is_there_at_once_without_its_hash(call, sparse):
    """Somebody may want to know just how large it is."""
    arguments = {"path": "sparse", "hash": False}
    output = await answered(call("get_file_info", {"timeout": 2}, **arguments))
    assert (output["size"], output["sha256"]) == (sparse, None)


def test_a_diff_that_would_take_too_many_steps_says_so():
    """Two thousand lines can be chosen so that difflib takes a second for them; each call has a few."""
    old = "".join(f"p{number % 101}\n" for number in range(2000)).encode()
    new = "".join(f"p{number % 101}\nu{number}\n" for number in range(1000)).encode()
    assert diffs.diff("f", old, new) == "File f differs: too long to compare\n"
    ordinary = "".join(f"u{number}\n" for number in range(1000)).encode()
    assert diffs.diff("f", ordinary, b"x\n" + ordinary[::-1]).count("\n") > 1000
