"""Errors of this side: what the person's own directory refuses, as the services would say it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import AgenticError, error

_CODES = {
    errno.ENOENT: ("path_not_found", "does not exist"),
    errno.ELOOP: ("path_not_allowed", "is a link, or lies behind one"),
    errno.EMLINK: ("path_not_allowed", "is a link, or lies behind one"),  # FreeBSD's ELOOP
    errno.ENOTDIR: ("not_a_directory", "is no directory, or lies below what is none"),
    errno.EISDIR: ("not_a_file", "is a directory"),
    errno.ENOTEMPTY: ("directory_not_empty", "is a directory with something in it"),
    errno.EEXIST: ("already_exists", "exists already"),
    errno.ENOSPC: ("no_space", "cannot be written: the disk is full"),
    errno.EDQUOT: ("no_space", "cannot be written: your quota of the disk is used up"),
    errno.EFBIG: ("file_too_large", "is larger than may be written here"),
}
_HINTS = {
    "no_space": "Free some space on this machine's disk.",
    "permission_denied": "Look at its mode, its owner and its attributes.",
}


def refusal(code: str, detail: str, *, hint: str | None = None, **context: object) -> AgenticError:
    """Return an error of the table that arose on this machine."""
    fault = error(code, detail, hint=hint or _HINTS.get(code), **context)
    fault.source = "client"
    return fault


def distrust(detail: str) -> AgenticError:
    """Return the error of an answer that cannot be right."""
    hint = "Nothing was changed here. The server is broken, or not to be trusted."
    return refusal("upstream_failed", f"The server's answer is refused: {detail}", hint=hint)


@contextmanager
def told_of(path: str) -> Iterator[None]:
    """Raise what the system says of a path on this machine as an error that names it."""
    try:
        yield
    except OSError as fault:
        code, what = _CODES.get(
            fault.errno or 0, ("permission_denied", f"cannot be used ({fault.strerror or fault})")
        )
        name = errno.errorcode.get(fault.errno or 0)
        raise refusal(code, f"'{path}' {what}", path=path, errno=name) from fault
