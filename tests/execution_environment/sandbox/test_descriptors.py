"""The flags that files are opened with, each alone, and what is looked at after the open."""

import os
import stat
import threading

import pytest

from common.errors import ToolError
from execution_environment.sandbox.descriptors import ANY, DIRECTORY, READ, opened_file
from execution_environment.sandbox.syscalls import openat2
from tests.execution_environment.sandbox.conftest import directory, errno_of

SOON = 5.0
"""Seconds that an open may take before it counts as hanging."""


@pytest.mark.parametrize("flags", [READ, DIRECTORY])
@pytest.mark.parametrize("leaf", ["link", "to_sub", "out"])
def test_open_flags_themselves_follow_no_link(root, leaf, flags):
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
