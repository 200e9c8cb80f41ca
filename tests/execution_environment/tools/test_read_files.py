"""read_files: several files in one call."""

from tests.execution_environment.conftest import MIB


async def test_read_files_is_bounded_in_bytes(call, demo):
    """A character of three bytes counts three."""
    for number in range(4):
        (demo / f"f{number}").write_text("€" * (MIB // 6))
    output = (await call("read_files", paths=[f"f{number}" for number in range(4)])).output
    sizes = [len(item["content"].encode()) for item in output["files"]]
    assert sizes[:2] == [MIB // 6 * 3] * 2
    assert sum(sizes) <= MIB


async def test_read_files_reads_the_others_when_one_fails(call, demo):
    """Each path has its own item, in their order: what it holds, or why it could not be read."""
    for name in ("first", "last"):
        (demo / name).write_text(f"{name}\n")
    (demo / "binary").write_bytes(b"\xff\0")
    paths = ["first", "nope", "binary", "../x", "last"]
    files = (await call("read_files", paths=paths)).output["files"]
    assert [item["path"] for item in files] == paths
    assert (files[0]["content"], files[4]["content"]) == ("first\n", "last\n")
    errors = [item["error"] for item in files[1:4]]
    assert [error["code"] for error in errors] == [
        "path_not_found", "binary_file", "path_not_allowed",
    ]  # fmt: skip
    assert [error["context"]["path"] for error in errors] == ["nope", "binary", "../x"]
    assert {error["context"]["tool"] for error in errors} == {"read_files"}


async def test_read_files_returns_the_same_window_of_each(call, demo):
    """As read_file returns it of one."""
    for name in ("a", "b"):
        (demo / name).write_text(f"{name}1\n{name}2\n{name}3\n")
    window = {"start_line": 2, "max_lines": 1}
    files = (await call("read_files", paths=["a", "b"], **window)).output["files"]
    alone = [(await call("read_file", path=name, **window)).output for name in ("a", "b")]
    assert files == [{"path": name, **one} for name, one in zip(("a", "b"), alone, strict=True)]
    assert [item["content"] for item in files] == ["a2\n", "b2\n"]


async def test_read_files_begins_with_the_first_line_when_asked_for_line_0(call, demo):
    """Of each, to the end of the shorter ones."""
    (demo / "a").write_text("a1\n")
    (demo / "b").write_text("b1\nb2\nb3\n")
    files = (await call("read_files", paths=["a", "b"], start_line=0, max_lines=2)).output["files"]
    assert [(item["content"], item["start_line"]) for item in files] == [
        ("a1\n", 1),
        ("b1\nb2\n", 1),
    ]
