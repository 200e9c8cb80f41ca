"""Each guard alone, where nothing behind it can hide its loss (`make mutate-guards` removes them).

The guards overlap on purpose: '..' is refused as text and by the kernel, a link by a resolve flag
and by O_NOFOLLOW. A test of the whole would stay green with one of them gone.
"""

import errno
import os
import stat
import threading
from contextlib import contextmanager

import pytest

from common.errors import ToolError
from execution_environment.sandbox.descriptors import ANY, DIRECTORY, READ, opened, opened_file
from execution_environment.sandbox.paths import parse
from execution_environment.sandbox.syscalls import RESOLVE, openat2, rename_new
from execution_environment.sandbox.walking import read_directory

RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
LINKS = (
    b"link to_sub to_sub/ to_sub/file out out/ out/canary.txt chain chain/canary.txt loop dangling"
)
SOON = 5.0
"""Seconds that an open may take before it counts as hanging."""


@pytest.fixture
def root(demo, outside):
    """A descriptor of a directory with every kind of way out of it in it."""
    (demo / "sub").mkdir()
    (demo / "sub" / "file").write_text("inside")
    (demo / "file").write_text("inside")
    (demo / "link").symlink_to("file")
    (demo / "to_sub").symlink_to("sub")
    (demo / "out").symlink_to(outside)
    (demo / "chain").symlink_to("out")
    (demo / "loop").symlink_to("loop")
    (demo / "dangling").symlink_to("not-there")
    os.mkfifo(demo / "fifo")
    with directory(demo) as descriptor:
        yield descriptor


@contextmanager
def directory(path):
    """Yield a descriptor of a directory, opened without any of what is tested here."""
    descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def errno_of(action) -> str:
    """Return the name of the errno that an open is refused with, or `opened`."""
    try:
        os.close(action())
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "opened"


@pytest.mark.parametrize("path", [b"..", b"sub/../..", b"../demo2/canary.txt", b"/", b"/etc"])
def test_the_kernel_keeps_a_path_beneath_its_descriptor(root, path):
    """RESOLVE_BENEATH holds alone, without the refusals of text before it."""
    assert errno_of(lambda: openat2(root, path, os.O_PATH)) == "EXDEV"


@pytest.mark.parametrize("path", LINKS.split())
def test_the_kernel_follows_no_link(root, path):
    """RESOLVE_NO_SYMLINKS: as leaf, in the middle and in a chain, also one that stays inside."""
    assert errno_of(lambda: openat2(root, path, os.O_RDONLY)) == "ELOOP"


def test_an_ordinary_path_opens(root):
    """The refusals here show something only because this is none."""
    assert errno_of(lambda: openat2(root, b"sub/file", READ)) == "opened"


@pytest.mark.parametrize("dropped", [0, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH])
def test_the_kernel_follows_no_magic_link(root, dropped):
    """RESOLVE_NO_MAGICLINKS is implied by two other flags: without those it has to hold itself."""
    name, resolve = str(root).encode(), RESOLVE & ~dropped
    with directory("/proc/self/fd") as descriptors:
        assert errno_of(lambda: openat2(descriptors, name, os.O_PATH, resolve)) == "ELOOP"


def test_the_kernel_enters_no_other_mount():
    """RESOLVE_NO_XDEV: what is mounted beneath the root is not the workspace's."""
    with directory("/") as top:
        assert errno_of(lambda: openat2(top, b"proc/version", os.O_RDONLY)) == "EXDEV"


@pytest.mark.parametrize("flags", [READ, DIRECTORY])
@pytest.mark.parametrize("leaf", ["link", "to_sub", "out"])
def test_the_flags_themselves_follow_no_link(root, leaf, flags):
    """Staging opens leaf names with plain openat(2): there O_NOFOLLOW is the only guard."""
    assert errno_of(lambda: os.open(leaf, flags, dir_fd=root)) in {"ELOOP", "ENOTDIR"}


@pytest.mark.parametrize("leaf", ["link", "out"])
def test_a_link_that_is_only_looked_at_stays_a_link(root, leaf):
    """O_PATH without O_NOFOLLOW would give back what the link leads to."""
    descriptor = os.open(leaf, ANY, dir_fd=root)
    try:
        assert stat.S_ISLNK(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def test_opening_a_fifo_does_not_wait_for_a_writer(demo, root):
    """Forty such opens would take every thread of the pool; a writer ends the wait if it is one."""
    thread = threading.Thread(target=lambda: os.close(openat2(root, b"fifo", READ)))
    thread.start()
    thread.join(SOON)
    hung = thread.is_alive()
    if hung:
        os.close(os.open(demo / "fifo", os.O_WRONLY | os.O_NONBLOCK))
        thread.join(SOON)
    assert not hung


@pytest.mark.parametrize(("beneath", "name"), [("", "fifo"), ("", "sub"), ("/dev", "null")])
@pytest.mark.usefixtures("root")
def test_only_a_regular_file_is_read(demo, beneath, name):
    """What was opened is looked at, not what was there before: a FIFO would answer with nothing."""
    with (
        directory(beneath or demo) as descriptor,
        pytest.raises(ToolError) as caught,
        opened_file(descriptor, (name.encode(),), name),
    ):
        pytest.fail(f"{name} was opened for reading")
    assert caught.value.code in {"unsupported_file", "not_a_file"}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"), ("/", "absolute"), ("/etc/passwd", "absolute"), ("\\x2fetc", "absolute"),
        ("a\0x", "NUL"), ("a\\x00x", "NUL"), ("..", "'..'"), ("sub/../file", "'..'"),
        ("\\x2e\\x2e/x", "'..'"), ("..\\x2fx", "'..'"), ("x/" * 2047 + "xx", "4095 bytes"),
        ("x" * 256, "255 bytes"), ("sub/" + "ü" * 128, "255 bytes"), ("\ud800", "Unicode"),
        ("sub/\udcff", "Unicode"),
    ],
)  # fmt: skip
def test_a_path_is_refused_by_its_text_alone(path, reason):
    """Each for its own reason, before the kernel sees it."""
    with pytest.raises(ToolError) as caught:
        parse(path)
    assert caught.value.code == "path_not_allowed"
    assert reason in caught.value.detail


@pytest.mark.parametrize("path", ["x/" * 2047 + "x", "x" * 255, "...", "..a", "a\\\\x00"])
def test_what_only_looks_like_those_is_allowed(path):
    """The bounds are exact, and dots are just characters elsewhere."""
    assert parse(path)


@pytest.mark.parametrize("leaf", ["file", "sub", "link", "dangling", "fifo"])
def test_a_rename_to_a_new_name_replaces_nothing(demo, root, leaf):
    """RENAME_NOREPLACE: what came there since the look would be lost without a word."""
    (demo / "new").write_text("new")
    before = (demo / leaf).lstat().st_ino
    with pytest.raises(FileExistsError):
        rename_new(root, b"new", root, leaf.encode())
    assert (demo / leaf).lstat().st_ino == before
    assert (demo / "new").read_text() == "new"


def test_entries_are_looked_at_before_their_directory_is_closed(demo, root, monkeypatch):
    """Closed first, a descriptor's number may be another directory's: here it is, with the same names."""
    (demo / "sub" / "file").write_text("another length")
    with opened(root, (b"sub",), DIRECTORY) as other, monkeypatch.context() as patched:
        closed = []
        patched.setattr(os, "close", lambda number: closed.append(os.dup2(other, number)))
        sizes = {entry.parts[-1]: entry.status.st_size for entry in read_directory(root, (), ())}
    os.close(*closed)
    assert sizes[b"file"] == len("inside")
