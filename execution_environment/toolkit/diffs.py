"""Unified diffs of a workspace's files, with names quoted as git does."""

from common.files.hunks import TooLong, hunks
from common.files.quoting import NOTHING, header, quoted


def diff(path: str, before: bytes | None, after: bytes | None, old_path: str | None = None) -> str:
    """Return a unified diff, from nothing when `before` is None, to nothing when `after` is.

    `old_path` is what the file was called before, if it was called otherwise. What is binary, or
    too long to compare, gives one line that says so.
    """
    try:
        found = hunks((before or b"").decode(), (after or b"").decode())
    except UnicodeDecodeError:
        return f"Binary file {quoted(path)} differs\n"
    except TooLong:
        return too_long(path)
    old_name = NOTHING if before is None else header("a/", old_path or path)
    new_name = NOTHING if after is None else header("b/", path)
    return f"--- {old_name}\n+++ {new_name}\n{found}" if found else ""


def too_long(path: str) -> str:
    """Return what stands for a diff that is too long."""
    return f"File {quoted(path)} differs: too long to compare\n"
