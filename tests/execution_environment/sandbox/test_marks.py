"""Marks: what a file is known by, so that another one is never taken for it."""

import pytest

from execution_environment.sandbox.renames import Location, Rename


@pytest.fixture
def file(demo):
    """A file that will be deleted."""
    (demo / "file").write_text("mine\n")
    return demo / "file"


def test_a_mark_is_more_than_an_inode(sandbox, file, demo):
    """File systems hand freed inodes out again: an inode that was born at another time is not it."""
    place = Location(leaf=b"file", directory=(b"local", b"demo"))
    trash = Location(leaf=b"0" * 32, process="f" * 16)
    mark = sandbox.renamer.mark(place)
    inode, _, birth = mark.partition("@")
    older = f"{inode}@{int(birth) - 1}" if birth else f"{mark[:-1]}g"
    steps = [Rename(source=place, target=trash, mark=known) for known in (mark, older)]
    assert [sandbox.renamer.is_pending(step) for step in steps] == [True, False]


def test_a_mark_outlasts_what_may_happen_to_a_file(sandbox, file, demo):
    """Its content, its mode and its name may change before a crash is settled."""
    directory = (b"local", b"demo")
    mark = sandbox.renamer.mark(Location(leaf=b"file", directory=directory))
    file.write_text("more\n")
    file.chmod(0o600)
    file.rename(demo / "moved")
    assert sandbox.renamer.mark(Location(leaf=b"moved", directory=directory)) == mark
    assert sandbox.renamer.mark(Location(leaf=b"file", directory=directory)) is None
