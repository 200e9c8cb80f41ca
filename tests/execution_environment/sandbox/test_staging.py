"""One directory for each process: those of the dead are cleared, never one of the living."""

import fcntl
import os

import pytest

from execution_environment.sandbox.sandbox import Sandbox
from execution_environment.sandbox.staging import Staging
from tests.execution_environment.conftest import workspace_over


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "staging"


@pytest.fixture
def left(directory):
    """Return the directory of a process that died with a tree staged."""
    dead = Staging(directory)
    dead.add_file([b"x"], 0o644, below=(b"a", b"b", b"file"))
    dead.add_file([b"x"], 0o644)
    fcntl.flock(dead.descriptor, fcntl.LOCK_UN)  # what a death does
    return directory / dead.process


@pytest.fixture
def staging(directory):
    staging = Staging(directory)
    yield staging
    staging.close()


def test_staging_of_the_dead_is_cleared_but_not_of_the_living_or_what_is_needed(data_dir, sandbox):
    """However deep it is."""
    for name in ("dead", "needed"):
        deepest = data_dir / "state/staging" / name / "/".join(["d"] * 300)
        deepest.mkdir(parents=True)
        (deepest / "file").write_text("left")
    workspace = workspace_over(sandbox)
    workspace.files.put("x", b"1", None)
    other = Sandbox(data_dir)
    other.renamer.staging.clean({"needed"})
    assert not (data_dir / "state/staging/dead").exists()
    assert (data_dir / "state/staging/needed").exists()
    other.renamer.staging.clean()
    assert not (data_dir / "state/staging/needed").exists()
    other.close()
    sandbox.renamer.apply(workspace.change.renames[0])


def test_very_deep_staging_is_removed_in_constant_stack(sandbox):
    """Recursive deletion fails at depth 1,100."""
    staging = sandbox.renamer.staging
    staging.discard(staging.add_directories(None, (b"d",) * 1900))


@pytest.mark.parametrize("call", ["rename", "unlink", "rmdir"])
def test_clearing_staging_goes_on_where_it_was_cut_short(
    staging, left, directory, monkeypatch, call
):
    """After each of its steps, until there are none left to fail."""
    step, steps = getattr(os, call), []

    def cut_short(*arguments, **options):
        step(*arguments, **options)
        steps.append(arguments)
        if len(steps) % 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, call, cut_short)
    while left.exists():
        try:
            staging.clean()
        except KeyboardInterrupt:
            assert staging.has_ended(left.name) or not left.exists()
    assert steps
    assert [entry.name for entry in directory.iterdir()] == [staging.process]


def test_two_who_clear_staging_at_once_keep_out_of_each_others_way(
    staging, left, directory, monkeypatch
):
    """The second comes while the first is in the middle."""
    other, rename = Staging(directory), os.rename

    def joined(*arguments, **options):
        rename(*arguments, **options)
        other.clean()
        assert left.exists()

    monkeypatch.setattr(os, "rename", joined)
    staging.clean()
    other.close()
    assert [entry.name for entry in directory.iterdir()] == [staging.process]


@pytest.mark.parametrize("moment", ["mkdir", "open"])
def test_a_staging_directory_that_is_cleared_before_it_is_locked_is_made_again(
    staging, directory, monkeypatch, moment
):
    """Between these two steps it looks like one that was left."""
    step = getattr(os, moment)

    def then_cleared(path, *arguments, **options):
        made = step(path, *arguments, **options)
        if "dir_fd" in options:
            monkeypatch.setattr(os, moment, step)
            staging.clean()
        return made

    monkeypatch.setattr(os, moment, then_cleared)
    new = Staging(directory)
    new.add_file([b"x"], 0o644)
    staging.clean()
    assert (directory / new.process).is_dir()
    new.close()
