"""What a stack takes for itself: a data directory, until the last of its processes ended, and ports."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from common.processes.locking import try_lock

HOST = "127.0.0.1"
PID_FILE = "up.pid"
STOP_TIMEOUT = 60.0
PAUSE = 0.05
"""Seconds."""


class StackError(Exception):
    """A stack did not start, ended by itself, or is another's; the message says what to do."""


class OwnedError(StackError):
    """The data directory is another stack's."""


@contextmanager
def owning(data_dir: Path) -> Iterator[TextIO]:
    """Own the directory: yield the file whose lock says so.

    Raises OwnedError if it is another's, StackError if it cannot be used. The processes of the stack
    inherit the file, and it holds their pids, ours first, and where the stack serves: the directory is
    owned until they have all ended, also where we were killed.
    """
    with _made(data_dir) as file:
        if not try_lock(file):
            raise OwnedError(
                f"a stack serves from {data_dir} already; agentic down ends it,"
                " and --data-dir names another directory"
            )
        try:
            file.truncate(0)
            note(file, os.getpid())
        except OSError as error:  # the disk is full
            raise _unusable(data_dir, error) from error
        yield file


def is_data(directory: Path) -> bool:
    """Tell whether a directory is one that a stack keeps its data in, or kept."""
    return all((directory / name).exists() for name in (PID_FILE, "execution", "orchestrator"))


def _made(data_dir: Path) -> TextIO:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return (data_dir / PID_FILE).open("a+")
    except OSError as error:
        raise _unusable(data_dir, error) from error


def _unusable(data_dir: Path, error: OSError) -> StackError:
    return StackError(
        f"{data_dir} cannot be used for the stack's data ({error.strerror});"
        " --data-dir names another directory"
    )


def note(file: TextIO, fact: int | str) -> None:
    """Add a process to those that own the directory, or the URL where they serve."""
    os.write(file.fileno(), f"{fact}\n".encode())  # nothing is left to be written when it is closed


def noted_url(data_dir: Path) -> str | None:
    """Return where the stack of a directory serves, or did; None before it is ready."""
    lines = (data_dir / PID_FILE).read_text().splitlines()
    return next((line for line in lines if line.startswith("http")), None)


def end_owner(data_dir: Path) -> bool:
    """End the stack that owns the directory and wait for it; False when there is none."""
    path = data_dir / PID_FILE
    if not path.exists():
        return False
    with path.open("r+") as file:
        if try_lock(file):
            return False
        deadline = time.monotonic() + STOP_TIMEOUT
        asked: set[int] = set()
        while not try_lock(file):
            asked |= _asked_to_end(_responsible(file) - asked)
            if time.monotonic() > deadline:
                raise StackError(f"the stack did not end within {STOP_TIMEOUT:g} seconds")
            time.sleep(PAUSE)
    return True


def _responsible(file: TextIO) -> set[int]:
    """Return the first process, which ends the others in order; all of them where it is gone."""
    file.seek(0)
    pids = [int(line) for line in file.read().splitlines() if line.isascii() and line.isdigit()]
    owners = [pid for pid in pids if _has_open(file, pid)]
    return set(owners[:1] if owners[:1] == pids[:1] else owners)


def _asked_to_end(pids: set[int]) -> set[int]:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    return pids


def _has_open(file: TextIO, pid: int) -> bool:
    """Tell whether a process has the file open: the number of one that ended may be another's."""
    ours = os.fstat(file.fileno())
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(_is_same(entry, ours) for entry in entries)
    except OSError:  # it has ended, or is somebody else's
        return False


def _is_same(entry: "os.DirEntry[str]", ours: os.stat_result) -> bool:
    try:
        return os.path.samestat(entry.stat(), ours)
    except FileNotFoundError:  # closed meanwhile
        return False


def free_port() -> int:
    """Return a port that was free just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def usable(host: str, port: int) -> int:
    """Return the port, of 0 a free one.

    Raises StackError where it is taken, for somebody else would answer for us, or the host is none.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return int(probe.getsockname()[1])
        except (
            OSError,
            UnicodeError,
            TypeError,
        ) as error:  # the last two: of what is no host's name
            raise StackError(
                f"port {port} of '{host}' cannot be used ({getattr(error, 'strerror', error)});"
                " agentic up --port 0 takes a free one, --host names another address"
            ) from error
