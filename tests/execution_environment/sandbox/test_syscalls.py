"""openat2 and renameat2: each flag alone, where nothing behind it can hide its loss.

`make mutate-guards` removes them. The guards overlap on purpose: '..' is refused as text and by the
kernel, a link by a resolve flag and by O_NOFOLLOW. A test of the whole would stay green with one of
them gone.
"""

import os

import pytest

from execution_environment.sandbox.descriptors import READ
from execution_environment.sandbox.syscalls import RESOLVE, birth_of, openat2, rename_new
from tests.execution_environment.sandbox.conftest import directory, errno_of

RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
LINKS = (
    b"link to_sub to_sub/ to_sub/file out out/ out/canary.txt chain chain/canary.txt loop dangling"
)


@pytest.mark.parametrize("path", [b"..", b"sub/../..", b"../demo2/canary.txt", b"/", b"/etc"])
def test_openat2_keeps_a_path_beneath_its_descriptor(root, path):
    """RESOLVE_BENEATH holds alone, without the refusals of text before it."""
    assert errno_of(lambda: openat2(root, path, os.O_PATH)) == "EXDEV"


@pytest.mark.parametrize("path", LINKS.split())
def test_openat2_follows_no_link(root, path):
    """RESOLVE_NO_SYMLINKS: as leaf, in the middle and in a chain, also one that stays inside."""
    assert errno_of(lambda: openat2(root, path, os.O_RDONLY)) == "ELOOP"


def test_openat2_opens_an_ordinary_path(root):
    """The refusals here show something only because this is none."""
    assert errno_of(lambda: openat2(root, b"sub/file", READ)) == "opened"


@pytest.mark.parametrize("dropped", [0, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH])
def test_openat2_follows_no_magic_link(root, dropped):
    """RESOLVE_NO_MAGICLINKS is implied by two other flags: without those it has to hold itself."""
    name, resolve = str(root).encode(), RESOLVE & ~dropped
    with directory("/proc/self/fd") as descriptors:
        assert errno_of(lambda: openat2(descriptors, name, os.O_PATH, resolve)) == "ELOOP"


def test_openat2_enters_no_other_mount():
    """RESOLVE_NO_XDEV: what is mounted beneath the root is not the workspace's."""
    with directory("/") as top:
        assert errno_of(lambda: openat2(top, b"proc/version", os.O_RDONLY)) == "EXDEV"


@pytest.mark.parametrize("leaf", ["file", "sub", "link", "dangling", "fifo"])
def test_a_rename_to_a_new_name_replaces_nothing(demo, root, leaf):
    """RENAME_NOREPLACE: what came there since the look would be lost without a word."""
    (demo / "new").write_text("new")
    before = (demo / leaf).lstat().st_ino
    with pytest.raises(FileExistsError):
        rename_new(root, b"new", root, leaf.encode())
    assert (demo / leaf).lstat().st_ino == before
    assert (demo / "new").read_text() == "new"


def test_the_birth_of_what_a_descriptor_is_open_on_is_that_of_its_name(tmp_path):
    """Whatever lies at the name by then."""
    (tmp_path / "f").write_bytes(b"1")
    with (tmp_path / "f").open() as file, directory(tmp_path) as above:
        assert birth_of(file.fileno(), b"") == birth_of(above, b"f")
