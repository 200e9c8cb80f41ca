"""Errors of the services as frameworks tell them: in words, and as Python's own of the file system."""

import errno

from common.errors import AgenticError

_NUMBERS = {
    "path_not_found": errno.ENOENT,
    "not_a_directory": errno.ENOTDIR,
    "not_a_file": errno.EISDIR,
    "already_exists": errno.EEXIST,
    "directory_not_empty": errno.ENOTEMPTY,
    "path_not_allowed": errno.EACCES,
    "permission_denied": errno.EACCES,
    "denied_by_rule": errno.EACCES,
    "rejected": errno.EACCES,
    "file_too_large": errno.EFBIG,
    "quota_exceeded": errno.EDQUOT,
    "no_space": errno.ENOSPC,
    "unsupported_file": errno.EINVAL,
}
GONE = frozenset({"session_not_found", "workspace_not_found", "unauthenticated"})
"""Codes after which nothing that is tried again in this session can succeed."""


def told(error: AgenticError) -> str:
    """Return an error in one line, as a model reads it: title, code, detail, and what to do next."""
    wrong = "".join(f"; {one.field}: {one.message}" for one in error.context.fields or [])
    return f"{error.spec.title} ({error.code}): {error.detail}{wrong}. {error.hint}"


def as_os_error(error: AgenticError, path: str) -> OSError | None:
    """Return an error of a path as the OSError that Python has for it; None for any other.

    `path` is the framework's own. The kernel's number, where the service tells it, says more than
    the code: a directory that cannot be made for a file that is there is EEXIST.
    """
    if error.code not in _NUMBERS:
        return None
    number = getattr(errno, error.context.errno or "", _NUMBERS[error.code])
    return OSError(number, told(error), path)
