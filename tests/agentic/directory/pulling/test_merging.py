"""Merges of texts: git's own, whatever the machine's settings are."""

import tempfile

import pytest

from agentic.directory.kept.blobs import MAX_SIZE
from agentic.directory.pulling.merging import merge

BASE = b"1\n2\n3\n4\n5\n"
MINE, THEIRS = BASE.replace(b"1", b"mine"), BASE.replace(b"5", b"theirs")


def test_both_changes_are_taken():
    """What one side left alone is as the other has it."""
    assert merge(MINE, BASE, THEIRS) == (b"mine\n2\n3\n4\ntheirs\n", 0)


def test_places_that_both_changed_are_marked_and_counted():
    """Both are shown, each under the name of its side."""
    content, conflicts = merge(MINE, BASE, BASE.replace(b"1", b"theirs"))
    assert conflicts == 1
    assert content.startswith(b"<<<<<<< mine\nmine\n=======\ntheirs\n>>>>>>> workspace\n2\n")


@pytest.mark.parametrize(
    "text", [b"a\0b", b"\xff", b"x" * (MAX_SIZE + 1)], ids=["NUL", "8", "large"]
)
def test_what_is_no_text_on_any_side_is_not_merged(text):
    """Lines of a binary mean nothing."""
    assert merge(text, BASE, THEIRS) is None
    assert merge(MINE, text, THEIRS) is None
    assert merge(MINE, BASE, text) is None


def test_without_git_nothing_is_merged(monkeypatch, tmp_path):
    """The file stays a conflict."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert merge(MINE, BASE, THEIRS) is None


def test_settings_and_repositories_of_the_machine_have_no_say(monkeypatch, tmp_path):
    """A repository that came from anybody must run nothing, and style no marks."""
    (tmp_path / ".gitconfig").write_text("[merge]\n\tconflictStyle = diff3\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    content, conflicts = merge(MINE, BASE, BASE.replace(b"1", b"theirs"))
    assert (conflicts, b"|||||||" in content) == (1, False)


def test_a_merge_leaves_no_file_behind(monkeypatch, tmp_path):
    """It happens in a directory of its own, which goes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    merge(MINE, BASE, THEIRS)
    assert list(tmp_path.iterdir()) == []
