"""The tools over a real directory: what they return, change and refuse."""

import base64
import hashlib
import os
import random
import stat
import subprocess

import pytest

from common.errors import AgenticError, ToolError
from execution_environment.toolkit import diffs


def sha(data: bytes) -> str:
    """Return a hash as receipts have it."""
    return hashlib.sha256(data).hexdigest()


async def refusal(pending) -> AgenticError:
    """Return the error that a call ends with."""
    with pytest.raises(AgenticError) as caught:
        await pending
    return caught.value


# write_file


async def test_a_new_file_comes_with_its_directories_and_a_receipt(call, demo):
    """The receipt is what the disk holds."""
    result = await call("write_file", path="a/b/c.txt", content="hé\n")
    receipt, *above = result.receipts
    assert [(made.path, made.mode, made.sha256_after) for made in above] == [
        ("a", "0755", None), ("a/b", "0755", None),
    ]  # fmt: skip
    data = (demo / "a/b/c.txt").read_bytes()
    assert (data, receipt.sha256_after, receipt.size) == ("hé\n".encode(), sha(data), len(data))
    assert (receipt.operation, receipt.created, receipt.mode) == ("create", True, "0644")
    assert result.output["diff"] == "--- /dev/null\n+++ b/a/b/c.txt\n@@ -0,0 +1 @@\n+hé\n"


async def test_replacing_keeps_the_mode_and_names_both_hashes(call, demo):
    """A script stays executable; set-id bits are not carried over."""
    (demo / "x.sh").write_text("old")
    (demo / "x.sh").chmod(0o4755)
    [receipt] = (await call("write_file", path="x.sh", content="new", mode="replace")).receipts
    assert stat.S_IMODE((demo / "x.sh").stat().st_mode) == 0o755
    assert (receipt.sha256_before, receipt.sha256_after) == (sha(b"old"), sha(b"new"))
    assert (receipt.operation, receipt.created) == ("replace", False)


async def test_a_change_that_changes_nothing_has_no_receipt(call, demo):
    """Otherwise a retry would look like a second change."""
    (demo / "x").write_text("same")
    inode = (demo / "x").stat().st_ino
    result = await call("write_file", path="x", content="same", mode="upsert")
    assert (result.receipts, result.output["diff"]) == ([], "")
    assert (demo / "x").stat().st_ino == inode


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"path": "old", "content": "x"}, "already_exists"),
        ({"path": "new", "content": "x", "mode": "replace"}, "path_not_found"),
        ({"path": "no/new", "content": "x", "create_parents": False}, "path_not_found"),
        ({"path": "dir", "content": "x", "mode": "upsert"}, "not_a_file"),
        ({"path": "old/x", "content": "x"}, "not_a_directory"),
        ({"path": ".", "content": "x", "mode": "upsert"}, "not_a_file"),
        ({"path": "old", "content": "!", "encoding": "base64", "mode": "upsert"}, "invalid_arguments"),
        ({"path": "old", "content": "x", "mode": "upsert", "expected_sha256": "0" * 64}, "hash_mismatch"),
        ({"path": "new", "content": "x" * 2**21}, "file_too_large"),
        ({"path": "new", "content": "x", "expected_sha256": "0" * 64}, "hash_mismatch"),
    ],
)  # fmt: skip
async def test_refused_writes_change_nothing(call, demo, arguments, code):
    """Bad input gets a clear error and loses nothing."""
    (demo / "old").write_text("old")
    (demo / "dir").mkdir()
    error = await refusal(call("write_file", **arguments))
    assert (error.code, error.context.tool) == (code, "write_file")
    assert sorted(path.name for path in demo.iterdir()) == ["dir", "old"]
    assert (demo / "old").read_text() == "old"


async def test_a_hash_mismatch_tells_the_current_hash(call, demo):
    """The caller goes on from there."""
    (demo / "x").write_text("now")
    error = await refusal(
        call("write_file", path="x", content="y", mode="upsert", expected_sha256="0" * 64)
    )
    assert error.context.current_sha256 == sha(b"now")


async def test_binary_content_is_written_as_base64(call, demo):
    """Not everything is text."""
    content = base64.b64encode(b"\0\xff").decode()
    result = await call("write_file", path="x.bin", content=content, encoding="base64")
    assert (demo / "x.bin").read_bytes() == b"\0\xff"
    assert result.output["diff"] == "Binary file x.bin differs\n"


async def test_a_dry_run_tells_all_and_does_nothing(call, demo):
    """A preview is worth what it has in common with the real thing."""
    preview = await call("write_file", _dry_run=True, path="a/x", content="1")
    assert list(demo.iterdir()) == []
    real = await call("write_file", path="a/x", content="1")
    assert (preview.output, preview.receipts) == (real.output, real.receipts)


# read_file


async def test_a_file_is_read_as_a_whole(call, demo):
    """Totals and hash are the whole file's."""
    (demo / "x").write_text("one\ntwo\nthree")
    output = (await call("read_file", path="x")).output
    assert output == {
        "content": "one\ntwo\nthree", "encoding": "utf-8", "start_line": 1, "end_line": 3,
        "total_lines": 3, "size": 13, "sha256": sha(b"one\ntwo\nthree"), "truncated": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("window", "content", "lines", "truncated"),
    [
        ({"start_line": 2}, "zwö\ndrei\n", (2, 3), False),
        ({"start_line": 2, "max_lines": 1}, "zwö\n", (2, 2), True),
        ({"start_line": 9}, "", (9, 8), False),
        ({"offset": 0, "max_bytes": 7}, "eins\nzw", (1, 2), True),
        ({"max_bytes": 8}, "eins\nzw", (1, 2), True),
        ({"offset": 8, "max_bytes": 3}, "\nd", (2, 3), True),
        ({"offset": 99}, "", (1, 0), False),
    ],
)
async def test_windows_never_cut_a_character(call, demo, window, content, lines, truncated):
    """The ö has two bytes, at 7 and 8."""
    (demo / "x").write_text("eins\nzwö\ndrei\n")
    output = (await call("read_file", path="x", **window)).output
    assert (output["content"], output["truncated"]) == (content, truncated)
    assert (output["start_line"], output["end_line"]) == lines
    assert output["total_lines"] == 3


async def test_what_is_too_long_ends_with_a_whole_line(call, demo):
    """A bound of the caller's narrows the service's own."""
    (demo / "x").write_text("aaaa\nbbbb\ncccc\n")
    limits = {"limits": {"max_read_bytes": 12}}
    output = (await call("read_file", limits, path="x")).output
    assert (output["content"], output["end_line"], output["truncated"]) == ("aaaa\nbbbb\n", 2, True)


async def test_binary_files_are_read_as_base64_only(call, demo):
    """Guessing an encoding would corrupt the file at the next write."""
    (demo / "x").write_bytes(b"\xff\0")
    assert (await refusal(call("read_file", path="x"))).code == "binary_file"
    output = (await call("read_file", path="x", encoding="base64")).output
    assert base64.b64decode(output["content"]) == b"\xff\0"


async def test_a_missing_path_suggests_what_was_meant(call, demo):
    """The usual mistake is a typo."""
    (demo / "src").mkdir()
    (demo / "src/main.py").touch()
    error = await refusal(call("read_file", path="src/mian.py"))
    assert (error.code, error.context.errno) == ("path_not_found", "ENOENT")
    assert error.hint == "Did you mean 'src/main.py'?"


async def test_both_kinds_of_window_at_once_are_refused(call):
    """Nobody could say which one counts."""
    error = await refusal(call("read_file", path="x", start_line=2, offset=1))
    assert error.code == "invalid_arguments"


# edit_file


async def test_edits_apply_in_order_and_are_counted(call, demo):
    """Each edit sees what the ones before it made."""
    (demo / "x").write_text("a b a\n")
    edits = [
        {"old_text": "a", "new_text": "c", "expected_count": 2},
        {"old_text": "c b", "new_text": "d"},
        {"insert_at_line": 1, "text": "top"},
        {"insert_at_line": 3, "text": "end"},
    ]
    result = await call("edit_file", path="x", edits=edits)
    assert (demo / "x").read_text() == "top\nd c\nend"
    assert result.output["counts"] == [2, 1, 1, 1]


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbfone\r\ntwo\r\n", b"one\r\ntwo\r\n", b"one\ntwo", b"one\r\ntwo\n"]
)
async def test_marks_and_line_endings_survive_an_edit(call, demo, data):
    """Otherwise the diff shows the whole file."""
    (demo / "x").write_bytes(data)
    await call("edit_file", path="x", edits=[{"old_text": "two", "new_text": "2"}])
    assert (demo / "x").read_bytes() == data.replace(b"two", b"2")


async def test_text_of_several_lines_matches_whatever_the_endings(call, demo):
    """Models write plain newlines."""
    (demo / "x").write_bytes(b"one\r\ntwo\r\n")
    await call("edit_file", path="x", edits=[{"old_text": "one\ntwo", "new_text": "1\n2"}])
    assert (demo / "x").read_bytes() == b"1\r\n2\r\n"


@pytest.mark.parametrize(
    ("edit", "code", "hint"),
    [
        ({"old_text": "alpha betta", "new_text": "x"}, "text_not_found", "Line 1 comes closest"),
        ({"old_text": "zzz", "new_text": "x"}, "text_not_found", "copy old_text from it"),
        ({"old_text": "same", "new_text": "x"}, "text_not_unique", "on lines 2, 3"),
        ({"insert_at_line": 5, "text": "x"}, "invalid_arguments", "schema"),
    ],
)
async def test_an_edit_that_does_not_fit_leaves_the_file_alone(call, demo, edit, code, hint):
    """All edits or none, and a hint that gets the caller on."""
    (demo / "x").write_text("alpha beta\nsame\nsame\n")
    first = {"old_text": "alpha", "new_text": "ALPHA"} if code != "text_not_found" else edit
    error = await refusal(call("edit_file", path="x", edits=[first, edit]))
    assert error.code == code
    assert hint in error.hint
    assert (demo / "x").read_text() == "alpha beta\nsame\nsame\n"


async def test_a_file_that_is_too_large_is_not_edited(call, demo):
    """Edits happen in memory."""
    (demo / "x").write_text("a" * 100)
    edits = [{"old_text": "b", "new_text": "c"}]
    error = await refusal(
        call("edit_file", {"limits": {"max_write_bytes": 10}}, path="x", edits=edits)
    )
    assert (error.code, error.context.limit, error.context.actual) == ("file_too_large", 10, 100)


# list_directory, get_file_info, create_directory


async def test_listings_are_ordered_by_bytes_and_paged(call, demo):
    """The same order on every machine; nothing twice, nothing missing."""
    for name in ("b", "B", "ä", "a-1"):
        (demo / name).touch()
    (demo / "a").mkdir()
    (demo / "a/z").touch()
    paths, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        output = (await call("list_directory", depth=2, limit=2, **more)).output
        paths += [entry["path"] for entry in output["entries"]]
        cursor = output["next_cursor"]
        if cursor is None:
            break
    assert paths == ["B", "a", "a-1", "a/z", "b", "ä"]


async def test_links_and_specials_are_listed_as_what_they_are(call, demo):
    """One can see them, and not use them."""
    (demo / "link").symlink_to("/etc/passwd")
    os.mkfifo(demo / "fifo")
    output = (await call("list_directory")).output
    assert {entry["path"]: entry["type"] for entry in output["entries"]} == {
        "fifo": "other",
        "link": "symlink",
    }


async def test_names_that_cannot_be_printed_can_be_used_as_shown(call, demo):
    """A name is bytes; what a listing shows can be given back."""
    (demo / os.fsdecode(b"\xff\n\\")).write_text("odd")
    [entry] = (await call("list_directory")).output["entries"]
    assert entry["path"] == "\\xff\\x0a\\\\"
    assert (await call("read_file", path=entry["path"])).output["content"] == "odd"


async def test_a_workspace_that_was_never_written_is_empty(call):
    """The first change makes it."""
    new = {"allowed_paths_root": "local/new"}
    assert (await call("list_directory", new)).output["entries"] == []
    assert (await refusal(call("read_file", new, path="x"))).code == "path_not_found"
    await call("write_file", new, path="x", content="1", create_parents=False)
    assert (await call("read_file", new, path="x")).output["content"] == "1"


async def test_info_tells_type_mode_and_hash(call, demo):
    """Directories have no hash."""
    (demo / "x").write_text("1")
    (demo / "x").chmod(0o600)
    info = (await call("get_file_info", path="x")).output
    assert (info["type"], info["mode"], info["sha256"]) == ("file", "0600", sha(b"1"))
    assert (await call("get_file_info", path=".")).output["sha256"] is None


async def test_directories_are_made_with_those_above(call, demo):
    """Once; the second time nothing changes."""
    made = (await call("create_directory", path="a/b/c")).receipts
    assert [receipt.path for receipt in made] == ["a/b/c", "a", "a/b"]
    assert (demo / "a/b/c").is_dir()
    assert (await call("create_directory", path="a/b")).receipts == []
    error = await refusal(call("create_directory", path="a/b", exist_ok=False))
    assert (error.code, error.context.errno) == ("already_exists", "EEXIST")
    (demo / "f").touch()
    assert (await refusal(call("create_directory", path="f"))).code == "not_a_directory"


# search_files


async def test_every_occurrence_is_found_with_its_place(call, demo):
    """Columns count characters, from 1."""
    (demo / "a.txt").write_bytes("äa a\r\nb\r\na$\r\n".encode())
    (demo / "b.bin").write_bytes(b"a\0")
    (demo / "c.bin").write_bytes(b"a\xff")
    output = (await call("search_files", pattern="a", context=1)).output
    assert [(m["line"], m["column"]) for m in output["matches"]] == [(1, 2), (1, 4), (3, 1)]
    assert output["matches"][2]["before"] == ["b"]
    assert (output["total"], output["files_searched"], output["files_skipped"]) == (3, 1, 2)
    assert (await call("search_files", pattern="a$", literal=True)).output["total"] == 1
    assert (await call("search_files", pattern="^b$")).output["total"] == 1
    assert (await call("search_files", pattern="A", ignore_case=True, limit=1)).output["truncated"]


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*.py", ["a.py", "src/b.py", "src/deep/c.py"]),
        ("src/*.py", ["src/b.py"]),
        ("**/deep/*", ["src/deep/c.py"]),
        ("src/**", ["src/b.py", "src/deep/c.py"]),
        ("[!a].py", ["src/b.py", "src/deep/c.py"]),
        ("?.txt", ["d.txt"]),
    ],
)
async def test_globs_choose_the_files(call, demo, glob, found):
    """Without a slash a glob means the name, with one the path."""
    (demo / "src/deep").mkdir(parents=True)
    for path in ("a.py", "src/b.py", "src/deep/c.py", "d.txt"):
        (demo / path).write_text("x")
    output = (await call("search_files", pattern="x", glob=glob)).output
    assert [match["path"] for match in output["matches"]] == found


async def test_one_file_can_be_searched(call, demo):
    """A path may name a file."""
    (demo / "src").mkdir()
    (demo / "src/a.py").write_text("x")
    assert (await call("search_files", pattern="x", path="src/a.py", glob="*.py")).output[
        "total"
    ] == 1
    assert (await call("search_files", pattern="x", path="src", glob="a.*")).output["total"] == 1


async def test_patterns_run_in_linear_time_or_are_refused(call, demo):
    """The classic bomb for a backtracking matcher."""
    (demo / "x").write_text("a" * 50_000 + "!")
    assert (await call("search_files", pattern="(a+)+$")).output["total"] == 0
    for pattern in ("(", "(?=x)", r"\1"):
        assert (await refusal(call("search_files", pattern=pattern))).code == "invalid_pattern"
    assert (
        await refusal(call("search_files", pattern="x", glob="[z-a]"))
    ).code == "invalid_pattern"


# what holds for all


async def test_a_read_only_context_changes_nothing(call, demo):
    """Access is checked before anything is staged."""
    for tool, arguments in (
        ("write_file", {"path": "x", "content": "1"}),
        ("create_directory", {"path": "x"}),
        ("edit_file", {"path": "x", "edits": [{"old_text": "1", "new_text": "2"}]}),
    ):
        error = await refusal(call(tool, {"access": "read_only"}, **arguments))
        assert (error.code, error.context.tool) == ("permission_denied", tool)
    assert list(demo.iterdir()) == []


async def test_arguments_are_checked_without_being_repeated(call):
    """They may hold secrets."""
    error = await refusal(call("read_file", path=["hush-hush"], pth=1))
    assert isinstance(error, ToolError)
    assert [field.field for field in error.context.fields] == ["path", "pth"]
    assert "hush-hush" not in str(error.problem("execution_environment", None))
    assert (await refusal(call("nothing"))).code == "tool_not_found"


# Diffs


@pytest.mark.parametrize("seed", range(30))
def test_a_diff_leads_from_the_old_text_to_the_new(seed, tmp_path):
    """Whatever is the same at both ends is left out of the comparing, not out of the numbers."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    old = [f"line {chance.randint(0, 5)}" for _ in range(chance.randint(0, 40))]
    new = list(old)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(new))
        new[at : at + chance.randint(0, 2)] = ["new \u2028 line"] * chance.randint(0, 2)
    endings = [chance.choice(["", "\n"]) if lines else "" for lines in (old, new)]
    before, after = ("\n".join(lines) + end for lines, end in zip((old, new), endings, strict=True))
    (tmp_path / "f").write_text(before)
    diff = diffs.diff("f", before.encode(), after.encode())
    (tmp_path / "p").write_text(diff)
    if diff:  # git takes no empty one
        command = ["git", "apply", "--unidiff-zero", "p"]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "f").read_text() == after
