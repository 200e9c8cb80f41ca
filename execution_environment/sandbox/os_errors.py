"""What the kernel refuses, as errors that say what to do: one table from errno to code."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import AgenticError, error as failure

_BY_ERRNO = {
    errno.ENOENT: ("path_not_found", "'{}' does not exist"),
    errno.EEXIST: ("already_exists", "'{}' exists already"),
    errno.EISDIR: ("not_a_file", "'{}' is a directory"),
    errno.ENOTDIR: ("not_a_directory", "'{}', or a part of it, is not a directory"),
    errno.ENOTEMPTY: ("directory_not_empty", "'{}' is not empty"),
    errno.ELOOP: ("path_not_allowed", "'{}' is, or leads through, a symbolic link"),
    errno.EXDEV: ("path_not_allowed", "'{}' leads out of the workspace"),
    errno.ENAMETOOLONG: ("path_not_allowed", "'{}' is too long"),
    errno.EACCES: ("permission_denied", "the mode of '{}' does not allow this"),
    errno.EPERM: ("permission_denied", "'{}' may not be used like this"),
    errno.EROFS: ("permission_denied", "'{}' is on a read-only file system"),
    errno.ETXTBSY: ("permission_denied", "'{}' is a program that is running"),
    errno.ENOSPC: ("no_space", "there is no space left for '{}'"),
    errno.EDQUOT: ("no_space", "the disk quota leaves no space for '{}'"),
    errno.EFBIG: ("file_too_large", "'{}' is larger than the file system allows"),
    errno.ENXIO: ("unsupported_file", "'{}' is a socket or a device"),
    errno.ENODEV: ("unsupported_file", "'{}' is a device"),
    errno.EAGAIN: ("overloaded", "'{}' is in use by another program"),
}


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn an OSError into the error that names the path as the client knows it.

    What is not in the table (EIO, EMFILE, …) is no answer to a client: it goes up as it is.
    """
    try:
        yield
    except OSError as error:
        answer = answer_for(error, path)
        if answer is None:
            raise
        raise answer from error


def answer_for(error: OSError, path: str) -> AgenticError | None:
    """Return what a client is told of an OSError; None for what is no answer to a client."""
    if error.errno not in _BY_ERRNO:
        return None
    code, detail = _BY_ERRNO[error.errno]
    name = errno.errorcode[error.errno]
    return failure(code, detail.format(path), path=path, errno=name)
