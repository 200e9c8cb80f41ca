"""A file of the state is old or new, and damage is noticed."""

import errno
import resource

import pytest

from agentic.directory.faults import told_of
from agentic.directory.kept.sealed import read_sealed, write_sealed
from common.errors import AgenticError


@pytest.fixture
def short_files():
    """No file can grow beyond 1000 bytes: as a full disk, it ends a write in its midst."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_content_is_read_as_it_was_written(tmp_path):
    """And nothing is there before."""
    assert read_sealed(tmp_path / "a") is None
    write_sealed(tmp_path / "a", b"one\ntwo")
    assert read_sealed(tmp_path / "a") == b"one\ntwo"


def flipped(data):
    return data[:70] + b"X" + data[71:]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda data: data[:0], flipped, lambda data: data + b"more"],
    ids=["cut", "empty", "flipped", "longer"],
)
def test_damage_is_noticed(tmp_path, damage):
    """A wrong base would make deletions of what is only unknown."""
    write_sealed(tmp_path / "a", b"content" * 10)
    (tmp_path / "a").write_bytes(damage((tmp_path / "a").read_bytes()))
    with pytest.raises(ValueError, match="damaged"):
        read_sealed(tmp_path / "a")


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, short_files):
    """The disk may be full: the person is told, in a sentence."""
    write_sealed(tmp_path / "a", b"old")
    with pytest.raises(AgenticError) as caught:
        write_sealed(tmp_path / "a", b"x" * 10_000)
    assert caught.value.source == "client"
    assert read_sealed(tmp_path / "a") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_told_as_such():
    """The hint is about this machine, not about the services'."""
    with pytest.raises(AgenticError) as caught, told_of("a/b"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (caught.value.code, caught.value.context.errno) == ("no_space", "ENOSPC")
    assert "'a/b'" in caught.value.detail
    assert "this machine" in caught.value.hint
