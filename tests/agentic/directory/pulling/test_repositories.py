"""Nothing comes into what git would take for a repository, whatever it is called and whoever made it."""

import subprocess

import pytest

from agentic.directory.pulling.repositories import require_no_repository
from agentic.directory.root import Root
from common.errors import AgenticError
from tests.agentic.directory.pulling.places import Place, tree

HERE = {
    "nothing": [],
    "half of it": ["s/objects/x", "s/refs/x"],
    "all of it": ["s/HEAD", "s/objects/x", "s/refs/x"],
}
COMES = {
    "here": ["HEAD", "config", "objects/x", "refs/x"],
    "below": ["d/s/HEAD", "d/s/config", "d/s/objects/x", "d/s/refs/x"],
    "programs for directories": ["s/HEAD", "s/config", "s/objects", "s/refs"],
    "elsewhere": ["s/HEAD", "s/commondir", "t/config", "t/objects/x", "t/refs/x"],
    "another case": ["s/head", "s/Config", "s/OBJECTS/x", "s/Refs/x"],
}


def git(directory, *arguments):
    subprocess.run(["git", *arguments], cwd=directory, check=True, timeout=60)


async def refused(place, before):
    with pytest.raises(AgenticError) as caught:
        await place.pull()
    assert caught.value.code == "path_not_allowed"
    assert tree(place.directory) == before


@pytest.mark.parametrize("paths", COMES.values(), ids=COMES)
async def test_a_repository_that_is_not_called_so_is_refused(tmp_path, paths):
    """Whoever runs git in it, as many a prompt does, runs the programs that its `config` names."""
    place = Place(tmp_path, {"a": b"1"})
    for path in ["fine", *paths]:
        place.remote.write(path, b"theirs")
    await refused(place, tree(place.directory))


@pytest.mark.parametrize("is_bare", [True, False])
async def test_a_hook_comes_into_no_repository_that_is_here(tmp_path, is_bare):
    """It is in no base: nobody pushes it. The next push to it, or commit, would run the program."""
    place = Place(tmp_path)
    if is_bare:
        git(place.directory, "init", "-q", "--bare", "store.git")
    else:
        git(place.directory, "init", "-q", "--separate-git-dir", "store.git", ".")
    place.remote.write("store.git/hooks/post-update", b"#!/bin/sh\n", is_executable=True)
    await refused(place, tree(place.directory))


async def test_a_repository_comes_in_no_two_pulls(tmp_path):
    """The second of which has another base, or none."""
    place = Place(tmp_path)
    for path in ("s/objects/a", "s/refs/a"):
        place.remote.write(path, b"1")
    await place.pull()
    place.remote.generation = "another"
    for path in ("s/HEAD", "s/config"):
        place.remote.write(path, b"1")
    await refused(place, tree(place.directory))


@pytest.mark.parametrize(
    ("here", "comes", "is_refused"),
    [
        ("nothing", "s/HEAD", False),
        ("half of it", "s/HEAD", True),
        ("half of it", "s/objects/y", False),
        ("half of it", "HEAD", False),
        ("all of it", "s/config", True),
        ("all of it", "s/hooks/a/b", True),
        ("all of it", "t/config", False),
    ],
)
def test_what_is_here_and_what_comes_count_together(tmp_path, here, comes, is_refused):
    """What is beside a person's own repository may come."""
    for path in HERE[here]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    with Root(tmp_path) as root:
        if not is_refused:
            require_no_repository(root, [comes], [comes])
            return
        with pytest.raises(AgenticError, match="repository"):
            require_no_repository(root, [comes], [comes])


@pytest.mark.parametrize("below", [".git/hooks", "store/hooks", "store"])
def test_nothing_is_written_where_git_keeps_its_own(tmp_path, below):
    """Whoever stands in `.git/hooks` would have a server write the hooks."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "init", "-q", "--bare", "store")
    with Root(tmp_path / below) as root, pytest.raises(AgenticError, match="for itself"):
        require_no_repository(root, ["x"], ["x"])
    with Root(tmp_path) as root:
        require_no_repository(root, ["x"], ["x"])
