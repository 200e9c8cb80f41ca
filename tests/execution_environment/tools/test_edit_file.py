"""edit_file: all edits of a file, or none."""

import json

import pytest

from execution_environment.tools.edit_file import edit_file
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
        (
            {"old_text": "same", "new_text": "x"},
            "text_not_unique",
            "set expected_count to 2, or replace_all",
        ),
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


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        (b"one\ntwo", "end", b"one\ntwo\nend"),
        (b"one\ntwo\n", "end\n", b"one\ntwo\nend\n"),
        (b"one\r\ntwo", "end\n", b"one\r\ntwo\r\nend\r\n"),
    ],
)
async def test_edit_file_appends_one_past_the_last_line(call, demo, before, text, after):
    """On a line of its own, though the last one has no newline."""
    (demo / "x").write_bytes(before)
    await call("edit_file", path="x", edits=[{"insert_at_line": 3, "text": text}])
    assert (demo / "x").read_bytes() == after


async def test_edit_file_replaces_all_there_are_without_being_told_how_many(call, demo):
    """Harnesses have models say that, and not a number; `counts` says how many there were."""
    (demo / "x").write_text("a b a\n")
    edits = [
        {"old_text": "a", "new_text": "c", "replace_all": True},
        {"old_text": "b", "new_text": "d", "replace_all": True},
        {"old_text": "d", "new_text": "e", "expected_count": 1, "replace_all": False},
    ]
    result = await call("edit_file", path="x", edits=edits)
    assert (demo / "x").read_text() == "c e c\n"
    assert result.output["counts"] == [2, 1, 1]


async def test_edit_file_replaces_all_of_none_for_nobody(call, demo):
    """A text that was made up must not look like a change that was made."""
    (demo / "x").write_text("a\n")
    edits = [{"old_text": "b", "new_text": "c", "replace_all": True}]
    assert (await refusal(call("edit_file", path="x", edits=edits))).code == "text_not_found"


async def test_edit_file_takes_either_a_count_or_all(call, demo):
    """Nobody could say which one counts; the schema says so to whoever reads it."""
    (demo / "x").write_text("a\n")
    edits = [{"old_text": "a", "new_text": "c", "expected_count": 1, "replace_all": True}]
    error = await refusal(call("edit_file", path="x", edits=edits))
    assert error.code == "invalid_arguments"
    told = [field.message for field in error.context.fields]
    assert any("give either expected_count or replace_all" in message for message in told)
    assert (demo / "x").read_text() == "a\n"
    shown = edit_file.spec.arguments_schema["$defs"]["Replacement"]["properties"]["replace_all"]
    assert (shown["type"], shown["default"]) == ("boolean", False)
    assert "not together with expected_count" in shown["description"]


@pytest.mark.parametrize("dry_run", [False, True])
async def test_edit_file_shows_the_exact_text_where_white_space_alone_differs(call, demo, dry_run):
    """Nothing is guessed: the caller copies it, and then the edit is made."""
    (demo / "x").write_text("if x:\n\tfoo()\n\tbar()\n")
    edits = [{"old_text": "    foo()\n    bar()\n", "new_text": ""}]
    error = await refusal(call("edit_file", _dry_run=dry_run, path="x", edits=edits))
    assert error.code == "text_not_found"
    assert "white space only from lines 2 to 3." in error.hint
    assert (demo / "x").read_text() == "if x:\n\tfoo()\n\tbar()\n"
    edits[0]["old_text"] = json.loads(error.hint.partition("JSON string: ")[2])
    await call("edit_file", path="x", edits=edits)
    assert (demo / "x").read_text() == "if x:\n"


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
