"""search_files: what is found where, in which files."""

import pytest

from tests.execution_environment.conftest import refusal


async def test_search_files_finds_every_occurrence_with_its_place(call, demo):
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
async def test_search_files_chooses_files_by_a_glob(call, demo, glob, found):
    """Without a slash a glob means the name, with one the path."""
    (demo / "src/deep").mkdir(parents=True)
    for path in ("a.py", "src/b.py", "src/deep/c.py", "d.txt"):
        (demo / path).write_text("x")
    output = (await call("search_files", pattern="x", glob=glob)).output
    assert [match["path"] for match in output["matches"]] == found


async def test_search_files_searches_one_file(call, demo):
    """A path may name a file."""
    (demo / "src").mkdir()
    (demo / "src/a.py").write_text("x")
    assert (await call("search_files", pattern="x", path="src/a.py", glob="*.py")).output[
        "total"
    ] == 1
    assert (await call("search_files", pattern="x", path="src", glob="a.*")).output["total"] == 1


async def test_search_files_patterns_run_in_linear_time_or_are_refused(call, demo):
    """The classic bomb for a backtracking matcher."""
    (demo / "x").write_text("a" * 50_000 + "!")
    assert (await call("search_files", pattern="(a+)+$")).output["total"] == 0
    for pattern in ("(", "(?=x)", r"\1"):
        assert (await refusal(call("search_files", pattern=pattern))).code == "invalid_pattern"
    assert (
        await refusal(call("search_files", pattern="x", glob="[z-a]"))
    ).code == "invalid_pattern"
