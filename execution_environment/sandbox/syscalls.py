"""The two system calls that Python lacks: openat2(2) and renameat2(2)."""

import ctypes
import errno
import os

_SYS_OPENAT2 = 437
_RENAME_NOREPLACE = 1
_RESOLVE_NO_XDEV = 0x01
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
RESOLVE = _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_XDEV
MAX_TRIES = 1000
"""A rename anywhere on the path makes the kernel answer EAGAIN: that often before giving up."""


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.syscall.argtypes = (
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(_OpenHow),
    ctypes.c_size_t,
)
_libc.renameat2.restype = ctypes.c_int
_libc.renameat2.argtypes = (
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_uint,
)


def openat2(directory: int, path: bytes, flags: int, resolve: int = RESOLVE) -> int:
    """Open `path` beneath the descriptor `directory`; return a new descriptor.

    Raises OSError: EXDEV for a path that leads out or onto another mount, ELOOP for any symbolic
    link on the way. Source: openat2(2).
    """
    how = _OpenHow(flags=flags | os.O_CLOEXEC, mode=0, resolve=resolve)
    for _ in range(MAX_TRIES):
        descriptor = _libc.syscall(
            _SYS_OPENAT2, directory, path, ctypes.byref(how), ctypes.sizeof(how)
        )
        if descriptor >= 0:
            return int(descriptor)
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    raise _last_error()


def rename_new(source_dir: int, source: bytes, target_dir: int, target: bytes) -> None:
    """Rename one leaf to another; raise FileExistsError rather than replace anything."""
    if _libc.renameat2(source_dir, source, target_dir, target, _RENAME_NOREPLACE) != 0:
        raise _last_error()


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
