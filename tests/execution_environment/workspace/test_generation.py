"""Generations: a workspace that was made again is told from the one before."""

import os

from execution_environment.workspace.generation import generation_of


def test_a_generation_is_of_one_directory_made_once(tmp_path):
    """A change within it makes no other; the same inode made again does."""
    status = os.stat(tmp_path)
    first = generation_of(status, 5)
    (tmp_path / "f").write_bytes(b"")
    assert generation_of(os.stat(tmp_path), 5) == first
    assert len({first, generation_of(status, 6), generation_of(os.stat("/"), 5)}) == 3
    assert len(first) == 16
