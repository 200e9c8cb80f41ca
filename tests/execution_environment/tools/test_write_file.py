"""write_file: what it makes, replaces and refuses."""

import base64
import stat

import pytest

from tests.execution_environment.conftest import refusal, sha


async def test_write_file_makes_a_file_with_its_directories_and_a_receipt(call, demo):
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


async def test_write_file_keeps_the_mode_and_names_both_hashes(call, demo):
    """A script stays executable; set-id bits are not carried over."""
    (demo / "x.sh").write_text("old")
    (demo / "x.sh").chmod(0o4755)
    [receipt] = (await call("write_file", path="x.sh", content="new", mode="replace")).receipts
    assert stat.S_IMODE((demo / "x.sh").stat().st_mode) == 0o755
    assert (receipt.sha256_before, receipt.sha256_after) == (sha(b"old"), sha(b"new"))
    assert (receipt.operation, receipt.created) == ("replace", False)


async def test_write_file_that_changes_nothing_has_no_receipt(call, demo):
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
async def test_write_file_that_is_refused_changes_nothing(call, demo, arguments, code):
    """Bad input gets a clear error and loses nothing."""
    (demo / "old").write_text("old")
    (demo / "dir").mkdir()
    error = await refusal(call("write_file", **arguments))
    assert (error.code, error.context.tool) == (code, "write_file")
    assert sorted(path.name for path in demo.iterdir()) == ["dir", "old"]
    assert (demo / "old").read_text() == "old"


@pytest.mark.parametrize(("content", "hint"), [("old", "nothing to do"), ("new", "'upsert'")])
async def test_write_file_says_whether_the_file_that_is_there_is_the_same(
    call, demo, content, hint
):
    """A model that writes a file twice would go on and on."""
    (demo / "x").write_text("old")
    error = await refusal(call("write_file", path="x", content=content))
    assert (error.code, hint in error.hint) == ("already_exists", True)


async def test_write_file_tells_the_current_hash_when_another_is_expected(call, demo):
    """The caller goes on from there."""
    (demo / "x").write_text("now")
    error = await refusal(
        call("write_file", path="x", content="y", mode="upsert", expected_sha256="0" * 64)
    )
    assert error.context.current_sha256 == sha(b"now")


async def test_write_file_takes_binary_content_as_base64(call, demo):
    """Not everything is text."""
    content = base64.b64encode(b"\0\xff").decode()
    result = await call("write_file", path="x.bin", content=content, encoding="base64")
    assert (demo / "x.bin").read_bytes() == b"\0\xff"
    assert result.output["diff"] == "Binary file x.bin differs\n"


async def test_write_file_as_a_dry_run_tells_all_and_does_nothing(call, demo):
    """A preview is worth what it has in common with the real thing."""
    preview = await call("write_file", _dry_run=True, path="a/x", content="1")
    assert list(demo.iterdir()) == []
    real = await call("write_file", path="a/x", content="1")
    assert (preview.output, preview.receipts) == (real.output, real.receipts)
