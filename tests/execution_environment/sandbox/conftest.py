"""A directory with every kind of way out of it in it, and what an open says of one."""

import errno
import os
from contextlib import contextmanager

import pytest


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
