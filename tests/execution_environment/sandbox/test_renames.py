"""Steps of a change: taken in order, on the disk at the end, known for taken afterwards."""

import os

import pytest

from common.files.paths import parse
from execution_environment.sandbox.renames import Location, Rename

BASE = (b"local", b"demo")


def place(path):
    """Return where a path of the workspace is."""
    parts = (*BASE, *parse(path))
    return Location(leaf=parts[-1], directory=parts[:-1])


@pytest.fixture
def renamer(sandbox):
    return sandbox.renamer


@pytest.fixture
def bring(renamer):
    """Return the step that brings a new file to a path."""

    def step(path):
        name = renamer.staging.add_file([path.encode()], 0o644)
        return Rename(
            source=Location(leaf=name, process=renamer.staging.process), target=place(path)
        )

    return step


@pytest.fixture
def take(renamer):
    """Return the step that takes out what is at a path; it is removed at the end."""
    names = []

    def step(path):
        names.append(renamer.staging.new_name())
        source = place(path)
        out = Location(leaf=names[-1], process=renamer.staging.process)
        return Rename(source=source, target=out, mark=renamer.mark(source))

    yield step
    for name in names:
        renamer.staging.discard(name)


@pytest.fixture
def synced(monkeypatch):
    """Note the inodes that are synced, in order."""
    inodes, fsync = [], os.fsync

    def noted(descriptor):
        inodes.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return inodes


def test_each_directory_that_steps_have_changed_is_synced_once(demo, renamer, bring, take, synced):
    """After the last of them: ten thousand files in a directory cost one sync of it."""
    (demo / "d").mkdir()
    (demo / "gone").write_text("x")
    steps = [bring(path) for path in ("a", "b", "d/c", "d/e")] + [take("gone")]
    synced.clear()
    for step in steps:
        renamer.apply(step)
    assert synced == []
    renamer.sync(steps)
    staging = os.fstat(renamer.staging.descriptor).st_ino
    assert synced == [demo.stat().st_ino, (demo / "d").stat().st_ino, staging]


@pytest.mark.parametrize("then", ["nothing", "a file", "a link", "a closed directory"])
def test_a_directory_that_is_taken_out_after_its_steps_needs_no_sync(
    demo, renamer, take, synced, then
):
    """Nor one that others have put something else in the place of."""
    (demo / "d").mkdir()
    (demo / "d/file").write_text("x")
    steps = [take("d/file"), take("d")]
    renamer.apply(steps[0])
    renamer.apply(steps[1])
    if then == "a file":
        (demo / "d").write_text("y")
    elif then == "a link":
        (demo / "d").symlink_to("elsewhere")
    elif then == "a closed directory":
        (demo / "d").mkdir(mode=0o000)
    synced.clear()
    renamer.sync(steps)
    assert demo.stat().st_ino in synced


def test_steps_that_others_have_taken_are_synced_when_they_are_rolled_forward(
    demo, renamer, bring, synced
):
    """Whoever took them may have died before that: then they are on no disk yet."""
    steps = [bring("a"), bring("b")]
    renamer.apply(steps[0])
    synced.clear()
    for _ in range(2):
        renamer.roll_forward(steps)
    assert synced == 2 * [demo.stat().st_ino]
    assert {path.name for path in demo.iterdir()} == {"a", "b"}


def test_a_step_out_of_a_directory_that_has_made_room_for_a_file_was_taken(
    demo, renamer, bring, take
):
    """Asked again after a crash: what lay below is no more, and the file is not in the way."""
    (demo / "d").mkdir()
    (demo / "d/file").write_text("x")
    steps = [take("d/file"), take("d"), bring("d")]
    for _ in range(2):
        renamer.roll_forward(steps)
    assert (demo / "d").read_text() == "d"
