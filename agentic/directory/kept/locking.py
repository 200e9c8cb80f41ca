"""Locks that one command holds: on every system that it runs on, and never for ever in vain."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import FileIO
from pathlib import Path

from agentic.directory.faults import refusal, told_of

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: FileIO) -> bool:
        """Take the file's exclusive lock without waiting; tell whether it is ours."""
        file.seek(2**30)  # beyond what is written: a locked byte cannot be read by others
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _try_directory(_descriptor: int | None) -> bool:
        return True  # nothing is written there, and two that read do no harm

else:
    from common.processes.locking import try_lock

    def _try_directory(descriptor: int | None) -> bool:
        """Take a directory's lock likewise, where its disk has such locks: not all networks' do."""
        try:
            return descriptor is None or try_lock(descriptor)
        except OSError:  # then only commands for one server wait for each other
            return True


PAUSE = 0.1
"""Seconds between two looks at a lock that another command holds."""


@asynccontextmanager
async def held(path: Path, directory: int | None, patience: float) -> AsyncIterator[None]:
    """Hold a state's lock, which tells others the process, and that of the open directory.

    A directory has a state for each server, and each spelling of its URL: its own lock holds for
    all. Raises `invalid_state` where others hold them for longer than `patience` seconds.
    """
    with told_of(str(path)):
        file = path.open("ab+", buffering=0)
    with file:
        deadline = time.monotonic() + patience
        with told_of(str(path)):
            await _taken(lambda: try_lock(file), lambda: _holder(file), deadline)
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        await _taken(lambda: _try_directory(directory), str, deadline)
        yield


async def _taken(take: Callable[[], bool], holder: Callable[[], str], deadline: float) -> None:
    while not take():
        if time.monotonic() > deadline:
            raise refusal("invalid_state", f"Another command works on this directory{holder()}")
        await asyncio.sleep(PAUSE)


def _holder(file: FileIO) -> str:
    file.seek(0)
    pid = file.read(20)
    return f" (process {pid.decode()})" if pid.isdigit() else ""
