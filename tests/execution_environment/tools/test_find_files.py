"""find_files: what is called how, page by page."""

import os

import pytest

from tests.execution_environment.conftest import refusal


@pytest.fixture
def tree(demo):
    """Files and directories whose names are much alike."""
    (demo / "src" / "deep.py").mkdir(parents=True)
    for path in ("a.py", "src/b.py", "src/deep.py/c.py", "src/d.txt"):
        (demo / path).write_text("x")
    (demo / "link.py").symlink_to("a.py")
    return demo


async def found(call, **arguments):
    """Return the paths that are found."""
    output = (await call("find_files", **arguments)).output
    assert output["next_cursor"] is None
    return [entry["path"] for entry in output["entries"]]


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ({"glob": "*.py"}, ["a.py", "link.py", "src/b.py", "src/deep.py", "src/deep.py/c.py"]),
        ({"glob": "src/*.py"}, ["src/b.py", "src/deep.py"]),
        ({"glob": "src/**"}, ["src/b.py", "src/d.txt", "src/deep.py", "src/deep.py/c.py"]),
        ({"glob": "[!a].*"}, ["src/b.py", "src/d.txt", "src/deep.py/c.py"]),
        ({"glob": "*.md"}, []),
        ({"glob": "*.py", "path": "src"}, ["src/b.py", "src/deep.py", "src/deep.py/c.py"]),
        ({"glob": "*/*.py", "path": "./src/"}, ["src/deep.py/c.py"]),
    ],
)
@pytest.mark.usefixtures("tree")
async def test_find_files_matches_a_glob_against_paths_beneath_its_directory(
    call, arguments, paths
):
    """Ordered by path; a glob with a slash is one of the path from the directory that is named."""
    assert await found(call, **arguments) == paths


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("file", ["a.py", "src/b.py", "src/deep.py/c.py"]),
        ("directory", ["src/deep.py"]),
        (None, ["a.py", "link.py", "src/b.py", "src/deep.py", "src/deep.py/c.py"]),
    ],
)
@pytest.mark.usefixtures("tree")
async def test_find_files_finds_what_is_of_a_type(call, kind, paths):
    """A link is of neither type: it is found without one, as what it is, and not followed."""
    assert await found(call, glob="*.py", type=kind) == paths


async def test_find_files_is_paged(call, tree):
    """Nothing twice and nothing missing, though what the last page ended with has gone."""
    os.mkfifo(tree / "fifo.py")
    paths, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        output = (await call("find_files", glob="*.py", limit=2, **more)).output
        paths += [entry["path"] for entry in output["entries"]]
        assert len(output["entries"]) <= 2
        cursor = output["next_cursor"]
        if cursor is None:
            break
        if cursor == "fifo.py":
            (tree / "fifo.py").unlink()
    assert paths == ["a.py", "fifo.py", "link.py", "src/b.py", "src/deep.py", "src/deep.py/c.py"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"glob": "[z-a]"}, "invalid_pattern"),
        ({"glob": ""}, "invalid_arguments"),
        ({"glob": "*", "type": "symlink"}, "invalid_arguments"),
        ({"glob": "*", "path": "nope"}, "path_not_found"),
        ({"glob": "*", "path": "a.py"}, "not_a_directory"),
    ],
)
@pytest.mark.usefixtures("tree")
async def test_find_files_refuses_what_it_cannot_look_for(call, arguments, code):
    """Instead of finding nothing."""
    assert (await refusal(call("find_files", **arguments))).code == code
