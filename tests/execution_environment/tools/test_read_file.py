"""read_file: whole files and windows of them."""

import base64
import random

import pytest

from tests.execution_environment.conftest import refusal, sha


async def test_read_file_returns_a_file_as_a_whole(call, demo):
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
        ({"start_line": 0}, "eins\nzwö\ndrei\n", (1, 3), False),
        ({"start_line": 0, "max_lines": 1}, "eins\n", (1, 1), True),
        ({"start_line": 2, "max_lines": 99}, "zwö\ndrei\n", (2, 3), False),
        ({"start_line": 0, "offset": 5, "max_bytes": 1}, "z", (2, 2), True),
        ({"start_line": 9}, "", (9, 8), False),
        ({"offset": 0, "max_bytes": 7}, "eins\nzw", (1, 2), True),
        ({"max_bytes": 8}, "eins\nzw", (1, 2), True),
        ({"offset": 8, "max_bytes": 3}, "\nd", (2, 3), True),
        ({"offset": 99}, "", (1, 0), False),
    ],
)
async def test_read_file_windows_never_cut_a_character(
    call, demo, window, content, lines, truncated
):
    """The ö has two bytes, at 7 and 8."""
    (demo / "x").write_text("eins\nzwö\ndrei\n")
    output = (await call("read_file", path="x", **window)).output
    assert (output["content"], output["truncated"]) == (content, truncated)
    assert (output["start_line"], output["end_line"]) == lines
    assert output["total_lines"] == 3


async def test_read_file_ends_what_is_too_long_with_a_whole_line(call, demo):
    """A bound of the caller's narrows the service's own."""
    (demo / "x").write_text("aaaa\nbbbb\ncccc\n")
    limits = {"limits": {"max_read_bytes": 12}}
    output = (await call("read_file", limits, path="x")).output
    assert (output["content"], output["end_line"], output["truncated"]) == ("aaaa\nbbbb\n", 2, True)


async def test_read_file_returns_binary_files_as_base64_only(call, demo):
    """Guessing an encoding would corrupt the file at the next write."""
    (demo / "x").write_bytes(b"\xff\0")
    assert (await refusal(call("read_file", path="x"))).code == "binary_file"
    output = (await call("read_file", path="x", encoding="base64")).output
    assert base64.b64decode(output["content"]) == b"\xff\0"


async def test_read_file_refuses_both_kinds_of_window_at_once(call):
    """Nobody could say which one counts."""
    error = await refusal(call("read_file", path="x", start_line=2, offset=1))
    assert error.code == "invalid_arguments"


async def test_read_file_refuses_a_line_before_the_first(call, demo):
    """Some count from the end so: the first lines would not be what they asked for."""
    (demo / "x").touch()
    assert (await refusal(call("read_file", path="x", start_line=-1))).code == "invalid_arguments"


@pytest.mark.parametrize("seed", range(30))
async def test_read_file_windows_are_the_same_with_a_hash_and_without(call, demo, seed):
    """Whatever is asked for, and wherever lines and characters end."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated, not to be secret
    (demo / "x").write_text("".join(chance.choices("aä\n", k=chance.randint(0, 20))))
    number = chance.randint(1, 12)
    window = chance.choice([
        {"start_line": number}, {"start_line": number, "max_lines": 3}, {"max_lines": number},
        {"offset": number}, {"offset": number, "max_bytes": 4}, {"max_bytes": number},
    ])  # fmt: skip
    limits = {"limits": {"max_read_bytes": chance.randint(1, 30)}}
    whole = (await call("read_file", limits, path="x", **window)).output
    part = (await call("read_file", limits, path="x", hash=False, **window)).output
    unknown = ("sha256", "total_lines", *(["start_line", "end_line"] if "offset" in window else []))
    assert part == whole | dict.fromkeys(unknown)
