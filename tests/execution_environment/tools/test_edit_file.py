"""edit_file: all edits of a file, or none."""

import pytest

from tests.execution_environment.conftest import refusal


async def test_edit_file_applies_edits_in_order_and_counts_them(call, demo):
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
async def test_edit_file_keeps_marks_and_line_endings(call, demo, data):
    """Otherwise the diff shows the whole file."""
    (demo / "x").write_bytes(data)
    await call("edit_file", path="x", edits=[{"old_text": "two", "new_text": "2"}])
    assert (demo / "x").read_bytes() == data.replace(b"two", b"2")


async def test_edit_file_matches_text_of_several_lines_whatever_the_endings(call, demo):
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
        ({"insert_at_line": 5, "text": "x"}, "invalid_arguments", "give old_text and new_text"),
    ],
)
async def test_edit_file_leaves_a_file_alone_that_an_edit_does_not_fit(
    call, demo, edit, code, hint
):
    """All edits or none, and a hint that gets the caller on."""
    (demo / "x").write_text("alpha beta\nsame\nsame\n")
    first = {"old_text": "alpha", "new_text": "ALPHA"} if code != "text_not_found" else edit
    error = await refusal(call("edit_file", path="x", edits=[first, edit]))
    assert error.code == code
    assert hint in error.hint
    assert (demo / "x").read_text() == "alpha beta\nsame\nsame\n"


async def test_edit_file_shows_the_first_lines_to_who_has_not_read_them(call, demo):
    """A small model made up a text five times in a row, though it was told to read the file."""
    (demo / "x").write_text("".join(f"line {n} {'x' * 300}\n" for n in range(1, 30)))
    error = await refusal(call("edit_file", path="x", edits=[{"old_text": "§", "new_text": "1"}]))
    assert "copy old_text from it" in error.hint
    assert "1 'line 1 x" in error.hint
    assert "10 'line 10 x" in error.hint
    assert len(error.hint) < 1300
    (demo / "x").write_text("")
    error = await refusal(call("edit_file", path="x", edits=[{"old_text": "§", "new_text": "1"}]))
    assert "empty" in error.hint


async def test_edit_file_refuses_a_file_that_is_too_large(call, demo):
    """Edits happen in memory."""
    (demo / "x").write_text("a" * 100)
    edits = [{"old_text": "b", "new_text": "c"}]
    error = await refusal(
        call("edit_file", {"limits": {"max_write_bytes": 10}}, path="x", edits=edits)
    )
    assert (error.code, error.context.limit, error.context.actual) == ("file_too_large", 10, 100)
