"""A scan reads what changed, remembers what has settled, and names what it cannot read."""

import hashlib
import os
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentic.directory.faults import refusal
from agentic.directory.names import shown
from agentic.directory.root import Root
from agentic.directory.scanning import hashed, scan
from common.errors import AgenticError


def later():
    """A clock after all files here were left alone for long."""
    return time.time_ns() + 3_600_000_000_000


class Watched(Root):
    """A root that says what is read, and refuses some."""

    def __init__(self, directory, refused=()):
        super().__init__(directory)
        self.read = []
        self.refused = refused
        self.while_read = lambda: None

    @contextmanager
    def open_file(self, parts):
        if shown(parts) in self.refused:
            raise refusal("permission_denied", "refused", path=shown(parts))
        self.read.append(shown(parts))
        with super().open_file(parts) as descriptor:
            yield descriptor
            self.while_read()


@pytest.fixture
def root(directory):
    """The directory, watched."""
    with Watched(directory) as opened:
        yield opened


def write(directory, name, content):
    place = directory / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def test_files_are_hashed_with_size_and_mode(root, directory):
    """These three are compared."""
    write(directory, "a", b"content").chmod(0o755)
    assert scan(root, {}).files == {"a": (hashlib.sha256(b"content").hexdigest(), 7, True)}


def test_an_unchanged_file_is_not_read_again(root, directory):
    """A tree of 10,000 files costs a look at each."""
    write(directory, "a", b"1")
    write(directory, "b", b"1")
    first = scan(root, {}, clock=later)
    root.read.clear()
    write(directory, "b", b"2")
    second = scan(root, first.stamps, clock=later)
    assert root.read == ["b"]
    assert second.files["a"] == first.files["a"]
    assert second.files["b"].sha256 == hashlib.sha256(b"2").hexdigest()


def test_a_hash_of_a_file_that_was_just_written_is_not_remembered(root, directory):
    """Another write within the same tick of its times would go unseen."""
    write(directory, "a", b"1")
    assert scan(root, {}).stamps == {}
    assert scan(root, {}, clock=later).stamps.keys() == {"a"}


@pytest.mark.parametrize("change", ["replaced", "times", "touched"])
def test_a_file_that_was_swapped_is_read_again(root, directory, change):
    """Same size and time, as an archive that is unpacked or `cp -p` leaves: the inode tells."""
    place = write(directory, "a", b"1")
    first = scan(root, {}, clock=later)
    status = place.stat()
    if change == "replaced":
        write(directory, "b", b"2").rename(place)
    place.write_bytes(b"2")
    if change != "touched":
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = scan(root, first.stamps, clock=later)
    assert second.files["a"].sha256 == hashlib.sha256(b"2").hexdigest()


def test_a_mode_is_read_each_time(root, directory):
    """It is in the status, hash or not."""
    place = write(directory, "a", b"1")
    first = scan(root, {}, clock=later)
    place.chmod(0o755)
    assert scan(root, first.stamps, clock=later).files["a"].is_executable


def test_what_is_gone_is_not_remembered(root, directory):
    """The memory is no larger than the tree."""
    write(directory, "a", b"1")
    first = scan(root, {}, clock=later)
    (directory / "a").unlink()
    assert scan(root, first.stamps, clock=later).stamps == {}


def test_a_file_that_changes_while_it_is_read_is_read_again(root, directory):
    """Its hash is that of one state, not half of two."""
    write(directory, "a", b"1")
    contents = iter([b"22"])

    def read(descriptor, size):
        piece = os.read(descriptor, size)
        for content in contents:
            write(directory, "a", content)
        return piece

    assert hashed(root, (b"a",), read)[0] == hashlib.sha256(b"22").hexdigest()
    assert root.read == ["a", "a"]


def test_a_file_that_is_written_all_the_time_is_named(root, directory):
    """A scan ends, and says which one to leave out."""
    write(directory, "a.log", b"1")

    def read(descriptor, size):
        with (directory / "a.log").open("ab") as file:
            file.write(b"more")
        return b""

    with pytest.raises(AgenticError) as caught:
        hashed(root, (b"a.log",), read)
    assert "a.log" in caught.value.detail
    assert ".agenticignore" in caught.value.hint


def test_files_that_cannot_be_read_are_named_all_at_once(directory):
    """Who repairs them one by one would run the command as often."""
    for name in ("a", "b", "c"):
        write(directory, name, b"1")
    with Watched(directory, refused=("a", "c")) as root, pytest.raises(AgenticError) as caught:
        scan(root, {})
    assert (caught.value.code, caught.value.source) == ("permission_denied", "client")
    assert "'a', 'c'" in caught.value.detail
    with Watched(directory, refused=("c",)) as root, pytest.raises(AgenticError) as caught:
        scan(root, {})
    assert caught.value.context.path == "c"


def test_a_path_that_is_too_long_to_be_sent_is_named(root, directory):
    """An odd byte is written in four characters: no server would take it."""
    above = Path(directory, *[os.fsdecode(b"\xff" * 200)] * 6)
    above.mkdir(parents=True)
    (above / "a").touch()
    with pytest.raises(AgenticError, match="a path of 4807 characters"):
        scan(root, {})


def test_a_file_that_goes_while_it_is_looked_for_is_not_there(root, directory):
    """Somebody works in the directory."""
    write(directory, "a", b"1")
    write(directory, "b", b"1")
    first = directory / "a"

    def remove():
        first.unlink(missing_ok=True)
        (directory / "b").unlink(missing_ok=True)

    root.while_read = remove
    assert len(scan(root, {}).files) <= 1


def test_links_and_specials_are_skipped_and_named(root, directory):
    """A link would lead out, a FIFO would never end."""
    write(directory, "a", b"1")
    (directory / "z-link").symlink_to("/etc/passwd")
    (directory / "b-link").symlink_to("/etc")
    os.mkfifo(directory / "pipe")
    found = scan(root, {})
    assert found.files.keys() == {"a"}
    assert found.skipped == ["b-link", "pipe", "z-link"]


def test_tracked_files_are_looked_at_though_they_are_ignored(root, directory):
    """But for those that `.agenticignore` names, and those that lie behind a link now."""
    write(directory, ".gitignore", b"*.o\n")
    write(directory, ".agenticignore", b"secret\n")
    for name in ("a.o", "secret", "new.o"):
        write(directory, name, b"1")
    (directory / "link").symlink_to("/etc")
    found = scan(root, {}, ["a.o", "secret", "gone", "link/passwd", "gone/too"])
    assert found.files.keys() == {".gitignore", ".agenticignore", "a.o"}
    assert found.left_alone == {"secret", "link/passwd"}


class Folding(Root):
    """A root on a disk that takes spellings of a name for one, as those of macOS do."""

    def statuses(self, parts, names):
        found = super().statuses(parts, [name.swapcase() for name in names])
        return {name.swapcase(): status for name, status in found.items()}

    def open_file(self, parts):
        return super().open_file(tuple(part.lower() for part in parts))


@pytest.mark.parametrize("kind", [Folding, Root])
def test_a_file_that_was_renamed_to_another_spelling_is_seen_once(directory, kind):
    """Else both would be sent, and no pull could ever write the two here."""
    write(directory, "readme", b"1")
    with kind(directory) as opened:
        assert scan(opened, {}, ["README"]).files.keys() == {"readme"}


def test_two_files_of_one_content_and_like_names_are_both_seen(directory):
    """This disk tells them apart, though the second is ignored, and a link to the first."""
    write(directory, ".gitignore", b"README\n")
    (directory / "README").hardlink_to(write(directory, "readme", b"1"))
    with Root(directory) as opened:
        assert {"README", "readme"} <= scan(opened, {}, ["README"]).files.keys()
