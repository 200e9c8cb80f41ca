"""Pulls: what the workspace changed comes, what was changed here stays, and nothing else moves."""

import os
import subprocess
import sys

import pytest

from agentic.directory.pull import pull
from agentic.directory.root import Root
from agentic.directory.writing import Writer
from common.errors import AgenticError
from tests.agentic.directory.fakes import SESSION
from tests.agentic.directory.pulling.places import Place, a_file, tree, write

BASE = {"a": b"one\n", "d/b": b"two\n", "d/e/c": b"three\n"}


@pytest.fixture
def place(tmp_path):
    """A directory and a workspace with the same files."""
    return Place(tmp_path, BASE)


def statuses(directory):
    """What tells that a file was written, by path."""
    paths = {path: path.stat() for path in directory.rglob("*")}
    return {
        str(path.relative_to(directory)): (it.st_ino, it.st_mode, it.st_mtime_ns)
        for path, it in paths.items()
    }


async def refused(pending):
    """Return the error that a pull ends with."""
    with pytest.raises(AgenticError) as caught:
        await pending
    return caught.value


def kinds(error):
    """The conflicts of an error, by path."""
    return {one["path"]: one["kind"] for one in error.context.conflicts}


async def test_a_pull_brings_exactly_what_the_workspace_changed(place):
    """New, changed, gone, executable; what it did not touch is not even written."""
    untouched = statuses(place.directory)["d/b"]
    place.remote.write("a", b"changed\n")
    place.remote.write("new/deep/file", b"new\n", is_executable=True)
    del place.remote.files["d/e/c"]
    pulled = await place.pull()
    assert tree(place.directory) == place.workspace()
    assert not (place.directory / "d/e").exists()
    assert statuses(place.directory)["d/b"] == untouched
    assert sorted(step.path for step in pulled.steps) == ["a", "d/e/c", "new/deep/file"]
    assert place.base()["a"] == a_file(b"changed\n")
    assert "d/e/c" not in place.base()
    assert sorted(path.name for path in place.kept.iterdir()) == ["blobs", "known.json"]


async def test_a_change_of_the_right_to_execute_alone_is_pulled_without_content(place):
    """A script that was made executable; its owner's other rights stay as they are."""
    (place.directory / "a").chmod(0o600)
    place.remote.write("a", BASE["a"], is_executable=True)
    await place.pull()
    assert (place.directory / "a").stat().st_mode & 0o777 == 0o700
    await place.pull()
    place.remote.write("a", BASE["a"])
    await place.pull()
    assert (place.directory / "a").stat().st_mode & 0o777 == 0o600


async def test_a_replaced_file_keeps_who_may_read_it(place):
    """A file of secrets must not become readable to all by a pull."""
    (place.directory / "a").chmod(0o600)
    place.remote.write("a", b"changed")
    await place.pull()
    assert (place.directory / "a").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("choice", [None, "theirs", "ours", "merge"])
async def test_pulling_twice_changes_nothing(place, choice):
    """The base is what was pulled."""
    place.remote.write("a", b"changed\n")
    del place.remote.files["d/b"]
    await place.pull(choice)
    before = statuses(place.directory)
    assert (await place.pull(choice)).steps == []
    assert statuses(place.directory) == before


async def test_conflicts_refuse_the_whole_pull_and_say_what_can_be_chosen(place):
    """Half a pull would be neither state."""
    write(place.directory, "a", b"mine")
    (place.directory / "d/b").unlink()
    write(place.directory, "d/e/c", b"mine, too")
    write(place.directory, "x", b"my new one")
    write(place.directory, "way", b"a file")
    for path in ("a", "d/b", "x", "way/y", "fine"):
        place.remote.write(path, b"theirs")
    del place.remote.files["d/e/c"]
    before = tree(place.directory)
    error = await refused(place.pull())
    assert (error.code, error.source) == ("changed_elsewhere", "client")
    assert kinds(error) == {
        "a": "both_changed",
        "d/b": "deleted_here",
        "d/e/c": "deleted_there",
        "x": "both_created",
        "way/y": "in_the_way",
    }
    assert "--theirs, --ours or --merge" in error.hint
    assert "\na: changed here and in the workspace\n" in error.detail
    assert tree(place.directory) == before
    assert sorted(place.base()) == sorted(BASE)


async def test_theirs_takes_the_workspaces_side_of_each_conflict(place):
    """Edited against edited, deleted against edited, both ways."""
    write(place.directory, "a", b"mine")
    (place.directory / "d/b").unlink()
    write(place.directory, "d/e/c", b"mine, too")
    place.remote.write("a", b"theirs")
    place.remote.write("d/b", b"theirs")
    del place.remote.files["d/e/c"]
    await place.pull("theirs")
    assert tree(place.directory) == place.workspace()


async def test_ours_keeps_what_is_here_and_the_next_push_sends_it(place):
    """The base becomes the workspace's, so that mine is what differs from it."""
    write(place.directory, "a", b"mine")
    (place.directory / "d/b").unlink()
    write(place.directory, "d/e/c", b"mine, too")
    place.remote.write("a", b"theirs")
    place.remote.write("d/b", b"theirs")
    place.remote.write("other", b"theirs")
    del place.remote.files["d/e/c"]
    pulled = await place.pull("ours")
    assert sorted(pulled.kept) == ["a", "d/b", "d/e/c"]
    assert tree(place.directory) == {
        "a": (b"mine", False),
        "d/e/c": (b"mine, too", False),
        "other": (b"theirs", False),
    }
    assert place.base() == {path: a_file(b"theirs") for path in ("a", "d/b", "other")}


async def test_merge_takes_both_changes_of_a_text(place):
    """As git merges: the rest is told as marked places, and the base is the workspace's."""
    lines = [f"{number}\n" for number in range(9)]
    base = "".join(lines).encode()
    write(place.directory, "t", base)
    place.remote.write("t", base)
    await place.pull()
    write(place.directory, "t", base.replace(b"0\n", b"mine\n"), is_executable=True)
    place.remote.write("t", base.replace(b"8\n", b"theirs\n"))
    pulled = await place.pull("merge")
    merged = base.replace(b"0\n", b"mine\n").replace(b"8\n", b"theirs\n")
    assert tree(place.directory)["t"] == (merged, True)
    assert pulled.marked == []
    assert place.base()["t"] == a_file(base.replace(b"8\n", b"theirs\n"))


async def test_merge_marks_what_a_person_has_to_decide(place):
    """Both sides changed one line."""
    write(place.directory, "a", b"mine\n")
    place.remote.write("a", b"theirs\n")
    pulled = await place.pull("merge")
    assert pulled.marked == ["a"]
    content = tree(place.directory)["a"][0].decode()
    assert content.splitlines()[0] == "<<<<<<< mine"
    assert content.splitlines()[-1] == ">>>>>>> workspace"


@pytest.mark.parametrize("mine", [b"bin\0ary", b"\xff\n"])
async def test_what_cannot_be_merged_refuses_the_pull(place, mine):
    """A binary, an edit against a deletion, two new files: there is nothing to merge."""
    write(place.directory, "a", mine)
    write(place.directory, "d/b", b"mine")
    write(place.directory, "n", b"mine")
    place.remote.write("a", b"theirs\n")
    place.remote.write("n", b"theirs\n")
    del place.remote.files["d/b"]
    before = tree(place.directory)
    error = await refused(place.pull("merge"))
    assert kinds(error) == {"d/b": "deleted_there", "n": "both_created"}
    place.remote.write("d/b", BASE["d/b"])
    del place.remote.files["n"]
    error = await refused(place.pull("merge"))
    assert kinds(error) == {"a": "both_changed"}
    assert "agentic pull --theirs, or --ours" in error.hint
    assert tree(place.directory) == before


async def test_merge_needs_git(place):
    """Without it the conflict stays one."""
    write(place.directory, "a", b"mine\n")
    place.remote.write("a", b"theirs\n")
    error = await refused(place.pull("merge", merger=lambda *_: None))
    assert kinds(error) == {"a": "both_changed"}


async def test_a_file_and_a_directory_take_each_others_place(place):
    """The deletions come first, and their empty directories go."""
    (place.directory / "d/e/empty").mkdir()
    for path in BASE:
        del place.remote.files[path]
    place.remote.write("a/x", b"below")
    place.remote.write("d", b"a file")
    await place.pull()
    assert tree(place.directory) == {"a/x": (b"below", False), "d": (b"a file", False)}


@pytest.mark.parametrize("choice", [None, "theirs", "merge"])
async def test_a_directory_with_other_files_is_in_the_way_of_a_file(place, choice):
    """What was never sent (ignored, untracked, a link) is nowhere but here."""
    write(place.directory, "d/untracked", b"mine alone")
    del place.remote.files["d/b"], place.remote.files["d/e/c"]
    place.remote.write("d", b"a file")
    before = tree(place.directory)
    error = await refused(place.pull(choice))
    assert kinds(error) == {"d": "in_the_way"}
    assert tree(place.directory) == before


@pytest.mark.parametrize("name", [".git", "sub/.GIT"])
async def test_a_git_directory_is_in_the_way_although_it_is_empty(place, name):
    """Directories with nothing in them go out of a file's way, but never one of these."""
    (place.directory / "new" / name / "refs").mkdir(parents=True)
    place.remote.write("new", b"a file")
    assert kinds(await refused(place.pull("theirs"))) == {"new": "in_the_way"}
    assert (place.directory / "new" / name / "refs").is_dir()


@pytest.mark.parametrize("choice", [None, "theirs", "merge"])
async def test_a_link_is_in_the_way_of_what_would_go_through_or_over_it(place, tmp_path, choice):
    """Whatever it leads to is not the workspace's to write."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (place.directory / "link").symlink_to(outside)
    (place.directory / "a").unlink()
    (place.directory / "a").symlink_to(outside / "target")
    place.remote.write("link/x", b"theirs")
    place.remote.write("a", b"theirs")
    error = await refused(place.pull(choice))
    assert kinds(error) == {"a": "in_the_way", "link/x": "in_the_way"}
    assert list(outside.iterdir()) == []


async def test_a_link_in_the_workspace_is_skipped(place):
    """No archive holds it; what is here stays."""
    del place.remote.files["a"]
    place.remote.others["a"] = "other"
    place.remote.write("d/b", b"changed")
    pulled = await place.pull()
    assert pulled.skipped == ["a"]
    assert tree(place.directory)["a"] == (BASE["a"], False)
    assert tree(place.directory)["d/b"] == (b"changed", False)


async def test_a_workspace_that_was_made_again_deletes_and_replaces_nothing(place):
    """What was last seen of the old one says nothing of it."""
    place.remote.remake()
    place.remote.write("a", BASE["a"])
    place.remote.write("new", b"new")
    write(place.directory, "mine", b"mine")
    before = tree(place.directory)
    await place.pull()
    assert tree(place.directory) == before | {"new": (b"new", False)}
    assert place.base() == {"a": a_file(BASE["a"]), "new": a_file(b"new")}
    place.remote.remake()
    place.remote.write("d/b", b"another")
    assert kinds(await refused(place.pull())) == {"d/b": "both_created"}


async def test_what_an_unanswered_push_has_made_is_no_change_of_the_workspace(place):
    """Its answer was lost, and the file was edited since: nobody else has changed it."""
    place.remote.write("a", b"pushed\n")
    with place.state() as (_, state):
        state.update(pending={"a": a_file(b"pushed\n")})
    write(place.directory, "a", b"edited since\n")
    assert (await place.pull()).steps == []
    assert tree(place.directory)["a"] == (b"edited since\n", False)
    assert place.base()["a"] == a_file(b"pushed\n")


async def test_a_workspace_that_is_gone_takes_nothing_along(place):
    """Deleted by hand, or by another command."""
    before = tree(place.directory)
    place.remote.files, place.remote.exists = {}, False
    assert (await place.pull()).steps == []
    assert tree(place.directory) == before


async def test_contents_that_are_here_already_are_not_fetched(place):
    """Only what is wanted is named as missing in the manifest."""
    write(place.directory, "a", b"same on both sides")
    place.remote.write("a", b"same on both sides")
    place.remote.write("d/b", BASE["d/b"], is_executable=True)
    await place.pull()
    assert place.base()["a"] == a_file(b"same on both sides")
    assert tree(place.directory) == place.workspace()


async def test_a_pull_that_has_nothing_to_fetch_asks_for_nothing(place):
    """A deletion is no reason for an archive."""
    del place.remote.files["a"]
    place.remote.get_differences = None
    await place.pull()
    assert not (place.directory / "a").exists()


def test_where_files_cannot_be_written_safely_a_pull_is_refused_before_it_asks(tmp_path):
    """Windows has no dir_fd: a swapped directory could lead a file anywhere."""
    program = """
import asyncio, os, pathlib, sys
os.supports_dir_fd = set()
from tests.agentic.directory.pulling.places import Place
from common.errors import ClientError
place = Place(pathlib.Path(sys.argv[1]), {})
place.client.archives = None
try:
    asyncio.run(place.pull())
except ClientError as error:
    print(error.code, error.hint)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=env, cwd=os.getcwd()
    )
    assert done.stdout.startswith("forbidden"), done.stderr


class CaseBlind(Root):
    """A directory on a disk that finds a file by every spelling of its name (macOS)."""

    def status(self, parts):
        return super().status(self._found(parts))

    def open_file(self, parts):
        return super().open_file(self._found(parts))

    def _found(self, parts):
        names = self.entries(parts[:-1])
        return (*parts[:-1], next((n for n in names if n.lower() == parts[-1].lower()), parts[-1]))


async def test_a_file_renamed_in_case_only_is_here_by_its_new_name(place, monkeypatch):
    """What is found by the new name is the old file: it goes, and nothing would be left of it."""
    monkeypatch.setattr(Writer, "is_case_blind", lambda _: True)
    place.remote.files["A"] = place.remote.files.pop("a")
    with CaseBlind(place.directory) as root, place.state() as (_, state):
        await pull(place.client, SESSION, root, state)
    assert tree(place.directory) == place.workspace()


async def test_a_workspace_that_is_not_there_deletes_nothing_whatever_is_remembered(place):
    """It has no generation: a state that has none either is not of the same workspace."""
    with place.state() as (_, state):
        state.update(generation=None)
    place.remote.files, place.remote.exists = {}, False
    await place.pull()
    assert sorted(tree(place.directory)) == sorted(BASE)
