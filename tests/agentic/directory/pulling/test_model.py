"""Pulls of random trees agree with a naive model, and nothing beside the directory moves."""

import asyncio
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from agentic.directory.pulling.merging import Merged
from common.errors import ClientError
from tests.agentic.directory.pulling.places import Place, a_file, tree, write

PATHS = ["a", "a/x", "a/x/y", "b", "d/e", "d/e/f", "d/g", "link", "link/x"]
FILES = st.tuples(st.sampled_from([b"1\n", b"2\n", b"3\n"]), st.booleans())
CHOICES = [None, "theirs", "ours", "merge"]


def above(path):
    """The directories that a path lies in."""
    names = path.split("/")
    return {"/".join(names[:length]) for length in range(1, len(names))}


def without_impossible(files):
    """A tree has no file below a file."""
    return {path: file for path, file in files.items() if not above(path) & files.keys()}


TREES = st.dictionaries(st.sampled_from(PATHS), FILES, max_size=6).map(without_impossible)
EDITS = st.dictionaries(st.sampled_from(PATHS), st.one_of(st.none(), FILES), max_size=4)


def edited(files, edits):
    """A tree after some changes: a file that comes takes the place of what is in its way."""
    files = dict(files)
    for path, file in edits.items():
        files.pop(path, None)
        if file is not None:
            near = {one for one in files if path in above(one)} | (above(path) & files.keys())
            files = {one: kept for one, kept in files.items() if one not in near}
            files[path] = file
    return files


def join(mine, base, theirs):
    """A merger that the model can foretell."""
    return Merged(mine + theirs, 0)


def merged(base, mine, theirs):
    """Both changes of a file, content and right to execute each by itself."""
    contents = [file[0] for file in (base, mine, theirs)]
    content = contents[2] if contents[1] == contents[0] else contents[1]
    if len({*contents}) == 3:
        content = contents[1] + contents[2]
    return content, mine[1] if mine[1] != base[1] else theirs[1]


def model(base, mine, theirs, choice, links):
    """The tree that a pull leaves; None where it is refused."""
    differing = {path for path in {*base, *theirs} if base.get(path) != theirs.get(path)}
    kept = {path for path in differing - theirs.keys() if path in mine and choice != "theirs"}
    kept = {path for path in kept if mine[path] != base[path]}
    gone = differing - theirs.keys() - kept
    result = {path: file for path, file in mine.items() if path not in gone}
    stays = set(result) | links
    for path in differing & theirs.keys():
        is_blocked = path in links or above(path) & stays or any(path in above(p) for p in stays)
        taken = (
            None if is_blocked else decided(base.get(path), mine.get(path), theirs[path], choice)
        )
        kept |= set() if taken else {path}
        result |= {path: taken} if taken else {}
    return None if kept and choice != "ours" else result


def decided(base, mine, theirs, choice):
    """What is in the place of one file; None where that is a conflict."""
    if mine in (base, theirs) or choice == "theirs":
        return theirs
    if choice == "merge" and base and mine:
        return merged(base, mine, theirs)
    return None


def canaries(directory):
    """Everything beside the directory, as far as the kernel tells of changes."""
    found = {}
    for path in [directory, *sorted(directory.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[path] = (status.st_ino, status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.mark.parametrize("choice", CHOICES)
@settings(max_examples=40, deadline=None)
@given(base=TREES, mine=EDITS, theirs=EDITS, has_link=st.booleans())
def test_a_pull_of_random_trees_agrees_with_the_model(choice, base, mine, theirs, has_link):
    """Three trees, each choice; twice, and with a link that leads out."""
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(_check(Path(made), choice, (base, mine, theirs), has_link))


async def _check(root, choice, trees, has_link):
    base, mine, theirs = trees[0], edited(trees[0], trees[1]), edited(trees[0], trees[2])
    links = {"link"} if has_link else set()
    mine = {path: file for path, file in mine.items() if path.split("/")[0] not in links}
    outside = root / "outside"
    write(outside, "x", b"canary")
    place = Place(root)
    with place.state() as (_, state):
        for content, _ in base.values():
            state.blobs.keep(a_file(content).sha256, content)
        known = {path: a_file(*file) for path, file in base.items()}
        state.update(base=known, generation=place.remote.generation)
    for path, file in mine.items():
        write(place.directory, path, *file)
    if has_link:
        (place.directory / "link").symlink_to(outside)
    place.remote.files = dict(theirs)
    before, canary = tree(place.directory), canaries(outside)
    expected = model(base, mine, theirs, choice, links)
    shown = dict.fromkeys(links, "link")
    if expected is None:
        with pytest.raises(ClientError) as caught:
            await place.pull(choice, merger=join)
        assert caught.value.code == "changed_elsewhere"
        assert (tree(place.directory), place.base()) == (before, known)
    else:
        await place.pull(choice, merger=join)
        assert tree(place.directory) == expected | shown
        assert place.base() == {path: a_file(*file) for path, file in theirs.items()}
        assert (await place.pull(merger=join)).steps == []
        assert tree(place.directory) == expected | shown
    assert canaries(outside) == canary
    assert {path.name for path in root.iterdir()} == {"outside", "dir", "state"}


MOMENTS = ["fetched", "journalled", "staged", "checked", "removed"]


class Swap:
    """Puts a link to elsewhere in a directory's place, at one moment of a pull."""

    def __init__(self, directory, outside, moment):
        self.directory, self.outside, self.moment = directory, outside, moment
        self.aside = directory.with_name("aside")

    def __call__(self, moment, path=""):
        if moment == self.moment and not self.aside.exists():
            self.directory.rename(self.aside)
            self.directory.symlink_to(self.outside)

    def undo(self):
        """Put the directory back."""
        self.directory.unlink()
        self.aside.rename(self.directory)


@pytest.fixture
def swapped(tmp_path):
    """A pull into `d`, and what is outside of it, with files of the same names."""
    base = {"d/a": b"old", "d/b": b"old", "d/c/e": b"old"}
    place = Place(tmp_path, base)
    outside = tmp_path / "outside"
    for path in base:
        write(outside, path.removeprefix("d/"), b"old")
    place.remote.write("d/a", b"new")
    place.remote.write("d/new", b"new", is_executable=True)
    place.remote.write("d/b", b"old", is_executable=True)
    del place.remote.files["d/c/e"]
    return place, outside


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_directory_that_is_swapped_for_a_link_leads_no_pull_out(swapped, moment):
    """Whenever it happens: refused, and finished once the directory is back."""
    place, outside = swapped
    swap = Swap(place.directory / "d", outside, moment)
    canary = canaries(outside)
    with pytest.raises(Exception, match=r"changed_elsewhere|path_not_allowed"):
        await place.pull(observe=swap)
    assert canaries(outside) == canary
    swap.undo()
    await place.pull()
    left = {path: file for path, file in tree(place.directory).items() if path != "d/c"}
    assert left == place.workspace()  # but for a directory that was not yet cleared away
    assert canaries(outside) == canary


def test_the_naive_way_is_led_out_by_the_same_swap(swapped):
    """The control: to check a path and then to write by it is not enough."""
    place, outside = swapped
    swap = Swap(place.directory / "d", outside, "checked")
    canary = canaries(outside)
    target = place.directory / "d/a"
    assert os.path.realpath(target).startswith(str(place.directory))
    swap("checked")
    target.write_bytes(b"new")
    assert canaries(outside) != canary
