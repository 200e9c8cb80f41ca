"""Workspaces seen from outside: directories only, and only those that have a workspace's name."""

import os

import pytest

from execution_environment.sandbox.homes import find_home, generation_of, names_after


@pytest.fixture
def root(tmp_path):
    """A descriptor of what all workspaces lie beneath."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_names_come_in_order_and_so_many_at_a_time(root, tmp_path):
    """However the file system keeps them."""
    for name in ("c", "a", "d", "b", "-x", "a b"):
        (tmp_path / "u" / name).mkdir(parents=True)
    assert names_after(root, "u", "", 3) == ["a", "b", "c"]
    assert names_after(root, "u", "b", 3) == ["c", "d"]
    assert names_after(root, "nobody", "", 3) == []


def test_only_a_directory_is_the_home_of_a_workspace(root, tmp_path):
    """A link to one is somewhere else."""
    (tmp_path / "u" / "w").mkdir(parents=True)
    (tmp_path / "u" / "link").symlink_to("w")
    (tmp_path / "u" / "file").write_bytes(b"")
    (tmp_path / "linked").symlink_to("u")
    home = find_home(root, (b"u", b"w"))
    assert home is not None
    assert home.status.st_ino == (tmp_path / "u" / "w").stat().st_ino
    for base in [(b"u", b"link"), (b"u", b"file"), (b"u", b"no"), (b"no", b"w"), (b"linked", b"w")]:
        assert find_home(root, base) is None


def test_a_generation_is_of_one_directory_made_once(tmp_path):
    """A change within it makes no other; the same inode made again does."""
    status = os.stat(tmp_path)
    first = generation_of(status, 5)
    (tmp_path / "f").write_bytes(b"")
    assert generation_of(os.stat(tmp_path), 5) == first
    assert len({first, generation_of(status, 6), generation_of(os.stat("/"), 5)}) == 3
    assert len(first) == 16
