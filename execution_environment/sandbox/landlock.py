"""The Landlock policy: the process gives up every file outside its data directory.

openat2 holds each path; this holds the process, whatever it runs, should a path ever get past that.
It stops opens and changes, not stat or readlink. Source: landlock(7).
"""

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from execution_environment.sandbox.self_test import SandboxUnavailable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_CHAR, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK = 1 << 6, 1 << 7, 1 << 8, 1 << 9
_MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = 1 << 10, 1 << 11, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

_FIRST = (1 << 13) - 1
_BY_ABI = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
"""Rights that came with each version of the interface, beside those of the first."""
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_USE = _READ_FILE | _WRITE_FILE | _TRUNCATE
# What lies in a workspace may be moved out of the way whatever it is; devices never come.
_WORK = (
    _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _REFER
    | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _MAKE_FIFO | _MAKE_SOCK
)  # fmt: skip
MIN_ABI = 2
"""Without REFER, which came with it, every rename from staging would fail with EXDEV."""


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # what packing means anyhow; from Python 3.14 on it has to be said
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


DISCARD = (Path(os.devnull),)
"""What may be written to beside the data: a child that is started without output opens it so."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.restype = ctypes.c_int
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)


def supported_abi() -> int:
    """Return the version of the kernel's Landlock, 0 where there is none."""
    return max(int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)), 0)


def interpreter_paths() -> list[Path]:
    """Return what Python reads as it goes: itself, its libraries, our code, names of hosts.

    Not where the process was started, though `python -m` puts that on sys.path: it may be somebody's
    home, or "/" as in a container, and then the policy would hold nothing. Nor /proc: it shows the token
    among the environment variables.
    """
    ours = {
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(sys.exec_prefix),
        Path(__file__).parents[2],
    }
    ours |= {Path(entry).absolute() for entry in sys.path} - {Path.cwd()}
    system = (
        "/usr", "/lib", "/lib64", "/etc/localtime", "/etc/hosts", "/etc/resolv.conf",
        "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/ssl/certs",
        "/etc/ssl/openssl.cnf", "/etc/mime.types", "/etc/ld.so.cache", "/dev/urandom",
    )  # fmt: skip
    return [*sorted(ours - {Path("/")}), *map(Path, system)]


def restrict(
    data_dir: Path,
    readable: Iterable[Path],
    abi: int | None = None,
    writable: Iterable[Path] = DISCARD,
) -> int | None:
    """Give up all files but those beneath `data_dir`, and reading or writing the others named.

    For this thread and everything it starts from now on, so before any thread is started. Others
    that cannot be reached are left out. `abi` stands for the kernel's version. Returns the one that
    is in force; None, having done nothing, below MIN_ABI. Raises SandboxUnavailable.
    """
    abi = supported_abi() if abi is None else abi
    if abi < MIN_ABI:
        return None
    handled = _FIRST
    for since, right in _BY_ABI.items():
        handled |= right if abi >= since else 0
    others = [*((path, _READ) for path in readable), *((path, _USE) for path in writable)]
    try:
        _enforce(handled, data_dir, others)
    except OSError as error:
        raise SandboxUnavailable(f"Landlock {abi} cannot be used: {error}") from error
    return abi


def _enforce(handled: int, data_dir: Path, others: Iterable[tuple[Path, int]]) -> None:
    attributes = ctypes.c_uint64(handled)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(8), 0)
    try:
        _allow(ruleset, data_dir, _WORK & handled)
        for path, rights in others:
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow(ruleset, path, rights & handled)
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise _last_error()
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        is_dir = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        rule = _PathBeneath(rights if is_dir else rights & _OF_FILES, descriptor)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise _last_error()
    return result


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
