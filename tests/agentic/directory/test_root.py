"""No access beneath a directory leaves it, whatever lies in it."""

import os

import pytest

from agentic.directory.root import Root
from common.errors import AgenticError


@pytest.fixture
def root(directory):
    """The directory, open."""
    with Root(directory) as opened:
        yield opened


@pytest.fixture
def outside(tmp_path, directory):
    """A secret beside the directory, and links from within that lead to it."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "secret").write_text("secret")
    (directory / "link").symlink_to(place)
    (directory / "file-link").symlink_to(place / "secret")
    (directory / "sub").mkdir()
    (directory / "sub/deep").symlink_to("../..")
    return place


def read(root, *parts):
    with root.open_file(parts) as descriptor:
        return os.read(descriptor, 100)


def test_a_file_is_read_and_told_of(root, directory):
    """The ordinary case."""
    (directory / "a").mkdir()
    (directory / "a/b").write_text("content")
    assert read(root, b"a", b"b") == b"content"
    assert root.status((b"a", b"b")).st_size == 7
    assert root.entries((b"a",)).keys() == {b"b"}
    assert root.statuses((b"a",), [b"b", b"c"]).keys() == {b"b"}
    assert root.status((b"a", b"b", b"c")) is None
    assert root.status((b"x", b"y")) is None
    assert root.statuses((b"x",), [b"y"]) == {}


@pytest.mark.parametrize("parts", [(b"link", b"secret"), (b"sub", b"deep", b"outside", b"secret")])
def test_no_link_on_the_way_is_followed(root, outside, parts):
    """A directory can be swapped for a link at any time: each step refuses one."""
    for access in (lambda: read(root, *parts), lambda: root.status(parts)):
        with pytest.raises(AgenticError) as caught:
            access()
        assert (caught.value.code, caught.value.source) == ("path_not_allowed", "client")
    assert root.statuses(parts[:-1], [parts[-1]]) is None
    with pytest.raises(AgenticError, match="path_not_allowed"):
        root.entries(parts[:-1])


def test_a_link_is_told_of_and_not_read(root, outside):
    """Its status is its own."""
    assert os.path.stat.S_ISLNK(root.status((b"file-link",)).st_mode)
    with pytest.raises(AgenticError, match="path_not_allowed"):
        read(root, b"file-link")


def test_a_fifo_and_a_directory_are_no_files(root, directory):
    """Opening a FIFO would wait for ever for somebody who writes."""
    os.mkfifo(directory / "pipe")
    (directory / "sub").mkdir()
    for name in (b"pipe", b"sub"):
        with pytest.raises(AgenticError, match="unsupported_file"):
            read(root, name)


def test_the_directory_itself_may_be_named_through_a_link(tmp_path, directory):
    """The person says which one is meant; and both names mean the same one."""
    (tmp_path / "alias").symlink_to(directory)
    with Root(tmp_path / "alias") as alias, Root(directory) as root:
        assert alias.identity == root.identity


def test_the_directory_stays_the_same_when_its_name_is_given_to_another(tmp_path, directory):
    """What was opened is what is walked."""
    (directory / "a").write_text("old")
    with Root(directory) as root:
        directory.rename(tmp_path / "moved")
        directory.mkdir()
        (directory / "a").write_text("new")
        assert read(root, b"a") == b"old"


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_directory_is_refused_by_name(tmp_path, name):
    """A typing mistake is answered with what was typed."""
    (tmp_path / "file").write_text("")
    with pytest.raises(AgenticError) as caught:
        Root(tmp_path / name)
    assert name in caught.value.detail


def test_no_descriptor_is_left_open(directory, outside):
    """A walk over many files would run out of them."""
    before = len(os.listdir("/proc/self/fd"))
    with Root(directory) as root:
        for parts in ((b"link", b"x"), (b"sub", b"deep", b"x"), (b"none", b"x"), (b"file-link",)):
            with pytest.raises(AgenticError):
                read(root, *parts)
        root.entries(())
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_descriptors_files_are_read_by_path_and_links_are_seen(directory, outside):
    """On Windows: as well as it goes, which is enough for what only reads."""
    (directory / "a").mkdir()
    (directory / "a/b").write_text("content")
    with Root(directory, by_descriptor=False) as root:
        assert read(root, b"a", b"b") == b"content"
        assert root.status((b"a", b"b")).st_size == 7
        assert root.status((b"a", b"none")) is None
        assert root.entries((b"a",)).keys() == {b"b"}
        assert root.statuses((b"a",), [b"b", b"c"]).keys() == {b"b"}
        assert root.statuses((b"link",), [b"secret"]) is None
        with pytest.raises(AgenticError, match="path_not_allowed"):
            read(root, b"link", b"secret")
