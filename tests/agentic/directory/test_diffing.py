"""Diffs of what a pull would bring: complete where they can be, bounded, harmless to a terminal."""

import pytest

from agentic.directory import diffing
from agentic.directory.diffing import diff
from tests.agentic.directory.fakes import SESSION
from tests.agentic.directory.pulling.places import Place, tree, write

MIB = 1024 * 1024
BASE = {"a": b"one\ntwo\n", "d/b": b"two\n", "same": b"same\n", "s": b"#!\n"}


@pytest.fixture
def place(tmp_path):
    """A directory and a workspace with the same files."""
    return Place(tmp_path, BASE)


async def shown(place):
    """What a person is shown."""
    with place.state() as (root, state):
        return "".join((await diff(place.client, SESSION, root, state)).text())


async def test_a_diff_shows_what_a_pull_would_make_of_the_directory(place):
    """Changed, new, gone, executable; and neither side is touched by it."""
    place.remote.write("a", b"one\n2\n")
    place.remote.write("s", BASE["s"], is_executable=True)
    place.remote.write("new", b"new")
    place.remote.others["same"] = "other"
    del place.remote.files["d/b"], place.remote.files["same"]
    write(place.directory, "mine", b"not its business")
    before = tree(place.directory)
    assert await shown(place) == (
        "changed: a\n--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
        "deleted: d/b\n--- a/d/b\n+++ /dev/null\n@@ -1 +0,0 @@\n-two\n"
        "new: new\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+new\n\\ No newline at end of file\n"
        "mode: s (executable)\n"
        "left out: same\n"
    )
    assert tree(place.directory) == before
    assert sorted(path.name for path in place.kept.iterdir()) == ["blobs", "known.json"]


async def test_a_diff_begins_with_what_is_here_where_both_sides_changed(place):
    """What a person would lose by taking the workspace's is what they need to see."""
    write(place.directory, "a", b"mine\n", is_executable=True)
    place.remote.write("a", b"theirs\n")
    text = await shown(place)
    assert text.startswith("changed: a (no longer executable)\n")
    assert "-mine\n+theirs\n" in text


async def test_what_is_here_alike_or_was_not_changed_there_is_left_out(place):
    """Nothing would come of it."""
    write(place.directory, "a", b"both\n")
    place.remote.write("a", b"both\n")
    write(place.directory, "d/b", b"mine alone\n")
    assert await shown(place) == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"x" * (MIB + 1), "too large to compare"),
        (b"\xff\xfe", "binary"),
        (b"a\0b", "binary"),
        (b"x\n" * 5000, "too long to compare"),
    ],
    ids=["large", "no UTF-8", "NUL", "many lines"],
)
async def test_what_cannot_be_shown_is_told_in_a_line(place, content, reason):
    """A person still sees that it changed."""
    place.remote.write("a", content)
    assert await shown(place) == f"changed: a ({reason})\n"


async def test_what_is_too_large_is_not_even_fetched(place):
    """It could not be shown."""
    place.remote.write("a", b"x" * (MIB + 1))
    place.remote.get_differences = None
    assert "too large" in await shown(place)


async def test_diffs_are_bounded_together(place, monkeypatch):
    """A thousand files may change; the first are shown, the others named."""
    monkeypatch.setattr(diffing, "MAX_SHOWN", 1000)
    for number in range(100):
        place.remote.write(f"f{number:03}", b"a line\n" * 40)
    text = await shown(place)
    assert 1 <= text.count("+++") <= 5
    assert text.count("new: f") == 100
    assert "new: f099 (too much to show)\n" in text


async def test_diffs_fetch_no_more_than_is_ever_shown(place, monkeypatch):
    """Contents of all files together are bounded, too."""
    monkeypatch.setattr(diffing, "MAX_FETCHED", 10)
    place.remote.write("a", b"12345\n")
    place.remote.write("b", b"67890\n")
    text = await shown(place)
    assert "+12345" in text
    assert "new: b (too much to show)\n" in text


async def test_a_diff_cannot_steer_the_terminal(place):
    """A file that an agent wrote may hold any bytes; names with such are not taken at all."""
    place.remote.write("a", b"\x1b]0;owned\x07\x1b[2Jx\r\xe2\x80\xae\n")
    text = await shown(place)
    assert "\\x1b]0;owned\\x07\\x1b[2Jx\\r\\u202e" in text
    assert all(char.isprintable() or char == "\n" for char in text)
