"""append_file: more at the end of a file."""

import pytest

from tests.execution_environment.conftest import refusal, sha


async def test_append_file_adds_to_the_end_and_names_both_hashes(call, demo):
    """The mode stays; the diff shows what came."""
    (demo / "log").write_text("one\n")
    (demo / "log").chmod(0o600)
    result = await call("append_file", path="log", content="two\n", expected_sha256=sha(b"one\n"))
    [receipt] = result.receipts
    assert (demo / "log").read_text() == "one\ntwo\n"
    assert (receipt.sha256_before, receipt.sha256_after) == (sha(b"one\n"), sha(b"one\ntwo\n"))
    assert (receipt.operation, receipt.mode) == ("replace", "0600")
    assert "+two\n" in result.output["diff"]


async def test_append_file_creates_a_file_unless_it_must_be_there(call, demo):
    """A misspelt name is no new file for who says so."""
    error = await refusal(call("append_file", path="a/log", content="1", create=False))
    assert error.code == "path_not_found"
    assert list(demo.iterdir()) == []
    receipt, *_ = (await call("append_file", path="a/log", content="1")).receipts
    assert (receipt.operation, (demo / "a/log").read_text()) == ("create", "1")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"path": "dir", "content": "1"}, "not_a_file"),
        ({"path": "log", "content": "1", "expected_sha256": "0" * 64}, "hash_mismatch"),
        ({"path": "log", "content": "!", "encoding": "base64"}, "invalid_arguments"),
    ],
)
async def test_append_file_that_is_refused_changes_nothing(call, demo, arguments, code):
    """Above all no file that somebody else has changed."""
    (demo / "dir").mkdir()
    (demo / "log").write_text("one\n")
    assert (await refusal(call("append_file", **arguments))).code == code
    assert (demo / "log").read_text() == "one\n"


async def test_append_file_of_nothing_has_no_receipt(call, demo):
    """Nothing was changed."""
    (demo / "log").write_text("one\n")
    result = await call("append_file", path="log", content="")
    assert (result.receipts, result.output["diff"]) == ([], "")
