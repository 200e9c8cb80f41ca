"""A walk in the order of paths."""

import os
import random
import shutil
from contextlib import suppress

import pytest

from execution_environment.sandbox import ordered
from execution_environment.sandbox.ordered import OrderedWalk
from tests.execution_environment.conftest import call_limits

NAMES = [b"a", b"a-", b"a0", b"a\xff", b"b", b".", b"-"]


@pytest.fixture
def tree(tmp_path):
    """Return a directory with others in it, whose names sort differently with a slash behind them."""
    chosen = random.Random(4711)  # noqa: S311  # not for secrets
    for _ in range(60):
        parts = [chosen.choice(NAMES) for _ in range(chosen.randint(1, 4))]
        path = os.path.join(os.fsencode(tmp_path), *(part for part in parts if part != b"."), b"f")
        with suppress(FileExistsError, NotADirectoryError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def walked(descriptor, after=b"", start=(), depth=None, **limits):
    """Return the paths of a walk."""
    walk = OrderedWalk(descriptor, (), start, depth, call_limits(**limits))
    return [b"/".join(entry.parts) for entry in walk.after(after)]


def all_beneath(tmp_path):
    """Return all paths, as another walk finds them."""
    top = os.fsencode(tmp_path)
    found = [
        os.path.relpath(os.path.join(above, name), top)
        for above, names, files in os.walk(top)
        for name in [*names, *files]
    ]
    return sorted(found)


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_paths_come_in_the_order_of_their_bytes_from_anywhere_on(
    tmp_path, tree, monkeypatch, chunk
):
    monkeypatch.setattr(ordered, "CHUNK", chunk)
    paths = all_beneath(tmp_path)
    assert len(paths) > 50
    for after in [b"", b"!", b"a-/", b"zz", *paths, *(path + b"/~" for path in paths)]:
        assert walked(tree, after) == [path for path in paths if path > after]


@pytest.mark.parametrize("depth", [1, 2])
def test_walk_goes_as_deep_as_it_may(tmp_path, tree, depth):
    paths = [path for path in all_beneath(tmp_path) if path.startswith(b"a/")]
    expected = [path for path in paths if path.count(b"/") <= depth]
    assert walked(tree, start=(b"a",), depth=depth) == expected


def test_what_lies_before_or_behind_is_not_looked_into(tmp_path):
    """A page costs what is on it, and the names of the directories on the way to it."""
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    root, opened = os.open(tmp_path, os.O_RDONLY), []
    walk = OrderedWalk(root, (), (), None, call_limits())
    scan = ordered.scanned

    def noted(descriptor, check):
        opened.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        return scan(descriptor, check)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ordered, "scanned", noted)
        found = walk.after(b"a/file")
        assert [next(found).path, next(found).path] == ["b", "b/file"]
    os.close(root)
    assert opened == [tmp_path.name, "a", "b"]


def test_directory_that_vanishes_is_passed_over(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    root = os.open(tmp_path, os.O_RDONLY)
    found = OrderedWalk(root, (), (), None, call_limits()).after(b"")
    assert next(found).path == "a"
    shutil.rmtree(tmp_path / "a")
    assert [entry.path for entry in found] == ["b", "b/file"]
    os.close(root)
