"""Proof at start that the kernel keeps paths beneath a descriptor: no proof, no service."""

import errno
import os
import tempfile
from pathlib import Path

from execution_environment.sandbox.marks import mark_at
from execution_environment.sandbox.syscalls import openat2


class SandboxUnavailable(Exception):  # reads as the state it is
    """This kernel or this directory cannot hold the sandbox; the message says why."""


def prove(directory: Path) -> None:
    """Try one good path and each way out in a scratch directory; raise SandboxUnavailable."""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        inside = Path(scratch) / "inside"
        inside.mkdir()
        (inside / "file").touch()
        (inside / "link").symlink_to("file")
        root = os.open(inside, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _expect(root, b"file", None)
            _expect(root, b"..", errno.EXDEV)
            _expect(root, bytes(inside / "file"), errno.EXDEV)
            _expect(root, b"link", errno.ELOOP)
            _expect_mark(root, b"file")
        finally:
            os.close(root)


def _expect(root: int, path: bytes, expected: int | None) -> None:
    try:
        os.close(openat2(root, path, os.O_RDONLY))
        outcome = None
    except OSError as error:
        outcome = error.errno
    if outcome != expected:
        raise SandboxUnavailable(
            f"openat2 does not hold paths beneath a directory here ({path[-8:]!r} gave"
            f" {errno.errorcode.get(outcome or 0, 'success')}): Linux 5.6 or newer is needed"
        )


def _expect_mark(root: int, leaf: bytes) -> None:
    try:
        mark_at(root, leaf)
    except OSError as error:
        raise SandboxUnavailable(
            "This file system keeps neither birth times nor handles of files, so what a change"
            f" has moved cannot be told from what came after it ({error.strerror})"
        ) from error
