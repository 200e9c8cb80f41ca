"""Pulls that are killed, refused by the disk or raced: nothing of the user's is lost, all is finished."""

import asyncio
import os
import resource
import signal
import subprocess
import sys

import pytest

from agentic.directory.diffing import diff
from agentic.directory.pulling.finishing import finish
from agentic.directory.push import push
from agentic.directory.status import status
from common.errors import AgenticError
from tests.agentic.directory.fakes import SESSION
from tests.agentic.directory.pulling import crashing, forbidden
from tests.agentic.directory.pulling.crashing import BASE, MINE, Fuse, prepared, reopened
from tests.agentic.directory.pulling.places import a_file, tree, write

MERGED = MINE.replace(b"7", b"theirs")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The moments of a pull that nobody kills, and the tree before and after."""
    directory = tmp_path_factory.mktemp("whole")
    place, fuse = prepared(directory), Fuse()
    old = tree(place.directory)
    asyncio.run(place.pull("merge", observe=fuse))
    return fuse.moments, old, tree(place.directory), place.base()


@pytest.fixture(scope="module")
def killed(tmp_path_factory, uninterrupted):
    """A directory for each moment, in which a pull was killed by SIGKILL just then."""
    above = tmp_path_factory.mktemp("killed")
    directories = [above / str(number) for number in range(len(uninterrupted[0]))]
    for directory in directories:
        prepared(directory)
    command = [sys.executable, "-m", crashing.__name__, *map(str, directories)]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, env=env)
    assert done.stdout.split() == [str(int(signal.SIGKILL))] * len(directories), done.stderr
    return directories


async def test_a_pull_that_was_killed_at_any_moment_is_finished_by_the_next_command(
    killed, uninterrupted, tmp_path
):
    """Old before its journal, new after it; the kills hit it in the middle, too."""
    moments, old, new, base = uninterrupted
    between = 0
    begins = [moment for moment, _ in moments].index("journalled")
    for number, directory in enumerate(killed):
        place = reopened(directory)
        between += tree(place.directory) not in (old, new)
        await place.finish()
        assert tree(place.directory) == (new if number >= begins else old), moments[number]
        await place.pull("merge")
        assert (tree(place.directory), place.base()) == (new, base), moments[number]
        kept = {path.name for path in place.kept.iterdir()}
        assert kept == {"blobs", "known.json"}
    assert between > 10
    assert new["both"] == (MERGED, False)


@pytest.fixture
def place(tmp_path):
    """A pull with every kind of change to make."""
    return prepared(tmp_path / "place")


class Crash(Exception):
    """What a test ends a pull with, where it needs no process of its own."""


def crash_at(wanted):
    """Return an observer that ends the pull at a moment."""

    def observe(moment, path):
        if (moment, path) == wanted:
            raise Crash

    return observe


@pytest.mark.parametrize("path", ["changed", "gone/deep/file", "script", "both"])
async def test_a_file_that_was_edited_after_the_crash_is_a_conflict(place, path):
    """The journal is done up to it; what was written here stays, and is asked about."""
    with pytest.raises(Crash):
        await place.pull("merge", observe=crash_at(("journalled", "")))
    write(place.directory, path, b"edited after the crash\n")
    finished = await place.finish()
    assert [(one.path, one.kind) for one in finished.conflicts] == [(path, "changed_meanwhile")]
    assert tree(place.directory)[path] == (b"edited after the crash\n", False)
    with pytest.raises(AgenticError) as caught:
        await place.pull()
    assert path in {one["path"] for one in caught.value.context.conflicts}
    await place.pull("theirs")
    assert tree(place.directory) == place.workspace()


@pytest.mark.parametrize("moment", ["journalled", "staged"])
async def test_a_file_that_is_changed_right_before_its_rename_stops_the_pull(place, moment):
    """Each is hashed again last of all; what came before it is noted, the rest is left."""

    def edit(now, path):
        if now == moment and path in ("", "changed"):
            write(place.directory, "changed", b"edited meanwhile\n")

    with pytest.raises(AgenticError) as caught:
        await place.pull("merge", observe=edit)
    assert caught.value.code == "changed_elsewhere"
    [conflict] = caught.value.context.conflicts
    assert conflict == {"path": "changed", "kind": "changed_meanwhile"}
    assert tree(place.directory)["changed"] == (b"edited meanwhile\n", False)
    assert place.base()["changed"] == a_file(BASE["changed"])
    assert not [path for path in tree(place.directory) if ".agentic-" in path]
    write(place.directory, "changed", BASE["changed"])
    await place.pull("merge")
    assert tree(place.directory) == place.workspace() | {"both": (MERGED, False)}


async def test_a_file_that_appears_during_the_pull_is_not_overwritten(place):
    """Where nothing was, nothing may be."""

    def create(moment, path):
        if (moment, path) == ("staged", "new/deep/file"):
            write(place.directory, path, b"mine alone\n")

    with pytest.raises(AgenticError):
        await place.pull("merge", observe=create)
    assert tree(place.directory)["new/deep/file"] == (b"mine alone\n", False)


@pytest.mark.parametrize("command", [push, status, diff])
async def test_push_status_and_diff_finish_an_interrupted_pull_first(place, command):
    """Half a pull must be neither sent nor told as what was changed here."""
    with pytest.raises(Crash):
        await place.pull("merge", observe=crash_at(("placed", "changed")))
    with place.state() as (root, state):
        await command(place.client, SESSION, root, state)
    assert tree(place.directory)["new/deep/file"] == (b"new\n", True)
    assert tree(place.directory)["both"] == (MERGED, False)
    assert not (place.kept / "pull.json").exists()


async def test_a_write_that_the_system_refuses_keeps_the_journal_and_is_made_later(place):
    """A full disk, seen as a bound on the size of files: clear, and nothing is half there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(moment, path):
        if moment == "journalled":
            resource.setrlimit(resource.RLIMIT_FSIZE, (2, before[1]))

    try:
        with pytest.raises(AgenticError) as caught:
            await place.pull("merge", observe=full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (caught.value.code, caught.value.context.errno) == ("file_too_large", "EFBIG")
    assert (place.kept / "pull.json").exists()
    assert not [path for path in tree(place.directory) if ".agentic-" in path]
    await place.finish()
    assert tree(place.directory) == place.workspace() | {"both": (MERGED, False)}


def test_what_may_not_be_written_keeps_the_journal_and_is_finished_later(tmp_path):
    """A directory that is read-only for the user: named, and no half of a file in it."""
    program = [sys.executable, "-m", forbidden.__name__, str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.stdout.split() == ["permission_denied", "EACCES", "True", "True"], done.stderr


async def test_a_cancelled_pull_leaves_its_journal_between_two_files(place):
    """Ctrl-C: the file at work is completed, the rest is for the next command."""
    pulling = None
    loop = asyncio.get_running_loop()

    def cancel(moment, path):
        if (moment, path) == ("placed", "changed"):
            loop.call_soon_threadsafe(pulling.cancel)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)

    pulling = asyncio.ensure_future(place.pull("merge", observe=cancel))
    with pytest.raises(asyncio.CancelledError):
        await pulling
    await place.finish()
    assert tree(place.directory) == place.workspace() | {"both": (MERGED, False)}


@pytest.mark.parametrize("damage", [b"", b"garbage", b"0" * 64 + b"\n{}"])
async def test_a_damaged_journal_is_passed_over_and_nothing_is_lost(place, damage):
    """What was placed is the workspace's, and the next pull finds it the same."""
    with pytest.raises(Crash):
        await place.pull("merge", observe=crash_at(("placed", "changed")))
    (place.kept / "pull.json").write_bytes(damage)
    with place.state() as (root, state):
        await finish(root, state)
        assert "pull again" in state.notes[0]
    await place.pull("merge")
    assert tree(place.directory) == place.workspace() | {"both": (MERGED, False)}


async def test_a_journal_without_its_contents_is_passed_over(place):
    """Somebody cleared the state directory: no command may fail for ever because of it."""
    with pytest.raises(Crash):
        await place.pull("merge", observe=crash_at(("journalled", "")))
    for path in (place.kept / "staged").iterdir():
        path.unlink()
    await place.finish()
    assert not (place.kept / "pull.json").exists()
    await place.pull("merge")
    assert tree(place.directory) == place.workspace() | {"both": (MERGED, False)}
