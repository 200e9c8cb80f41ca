"""The system calls that Python lacks: openat2, renameat2, syncfs, and what identifies a file for good."""

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
_STATX_BTIME = 0x800
_AT_SYMLINK_NOFOLLOW = 0x100
_AT_EMPTY_PATH = 0x1000
_MAX_HANDLE = 128
MAX_TRIES = 1000
"""A rename anywhere on the path makes the kernel answer EAGAIN: that often before giving up."""


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class _Statx(ctypes.Structure):
    _fields_ = (
        ("mask", ctypes.c_uint32),
        ("_unused", ctypes.c_uint8 * 76),
        ("birth_seconds", ctypes.c_int64),
        ("birth_nanoseconds", ctypes.c_uint32),
        ("_rest", ctypes.c_uint8 * 164),
    )


class _FileHandle(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_uint),
        ("type", ctypes.c_int),
        ("data", ctypes.c_uint8 * _MAX_HANDLE),
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
_libc.syncfs.restype = ctypes.c_int
_libc.syncfs.argtypes = (ctypes.c_int,)
_libc.statx.restype = ctypes.c_int
_libc.statx.argtypes = (
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_uint,
    ctypes.POINTER(_Statx),
)
_libc.name_to_handle_at.restype = ctypes.c_int
_libc.name_to_handle_at.argtypes = (
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(_FileHandle),
    ctypes.POINTER(ctypes.c_int),
    ctypes.c_int,
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


def sync_file_system(descriptor: int) -> None:
    """Have all on the disk that was written to the file system a descriptor is of.

    Raises OSError for what could not be written since it was opened. Source: syncfs(2).
    """
    if _libc.syncfs(descriptor) != 0:
        raise _last_error()


def birth_of(directory: int, leaf: bytes) -> int | None:
    """Return when a leaf was made, in nanoseconds; None where the file system does not keep it.

    Never follows a link; an empty leaf is what the descriptor itself is open on. Source: statx(2).
    """
    found = _Statx()
    flags = _AT_SYMLINK_NOFOLLOW | _AT_EMPTY_PATH
    if _libc.statx(directory, leaf, flags, _STATX_BTIME, ctypes.byref(found)) != 0:
        raise _last_error()
    if not found.mask & _STATX_BTIME:
        return None
    return int(found.birth_seconds) * 10**9 + int(found.birth_nanoseconds)


def handle_of(directory: int, leaf: bytes) -> bytes:
    """Return the file handle of a leaf, with its inode's generation; never follows a link.

    Raises OSError (EOPNOTSUPP) where the file system has none. Source: name_to_handle_at(2).
    """
    handle, mount = _FileHandle(size=_MAX_HANDLE), ctypes.c_int()
    if _libc.name_to_handle_at(directory, leaf, ctypes.byref(handle), ctypes.byref(mount), 0) != 0:
        raise _last_error()
    return bytes(handle.data[: handle.size])


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
